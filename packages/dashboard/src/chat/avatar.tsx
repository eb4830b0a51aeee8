import { hueOf, initialsOf } from './names.ts';

/** A coloured disc that is always the same for a name. */
export function Avatar({ name }: { name: string }) {
  return (
    <span class="avatar" style={{ '--hue': String(hueOf(name)) }} aria-hidden="true">
      {initialsOf(name)}
    </span>
  );
}
