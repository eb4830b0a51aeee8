import { useSignal } from '@preact/signals';
import { useRef } from 'preact/hooks';

/** A command with a button that copies it. */
export function Copyable({ text }: { text: string }) {
  const copied = useSignal(false);
  const code = useRef<HTMLElement>(null);

  const copy = async () => {
    try {
      await navigator.clipboard.writeText(text);
      copied.value = true;
      setTimeout(() => (copied.value = false), 1600);
    } catch {
      // No clipboard here (an insecure origin, or refused): select, so that one key press copies.
      if (code.current) getSelection()?.selectAllChildren(code.current);
    }
  };

  return (
    <div class="copyable">
      <code ref={code}>{text}</code>
      <button type="button" onClick={() => void copy()} aria-label={`Copy: ${text}`}>
        {copied.value ? 'Copied' : 'Copy'}
      </button>
    </div>
  );
}
