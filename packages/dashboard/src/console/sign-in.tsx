import { useSignal } from '@preact/signals';
import { operatorKey, signIn } from './operator.ts';

/** Asks for the key that opens the console. `reason`: why the node does not show its figures as it is. */
export function SignIn({ reason }: { readonly reason: string }) {
  const key = useSignal('');
  const submit = (event: Event) => {
    event.preventDefault();
    if (key.value.trim() !== '') signIn(key.value);
  };
  return (
    <section class="page narrow">
      <h1>Console</h1>
      <p>
        The figures of this node are for its operators. Show a key of <code>apiKeys</code> that has the right{' '}
        <code>console</code>; it stays in this window, until you close it. Figures are published where there is a
        namespace <code>tutti</code>.
      </p>
      <form class="row" onSubmit={submit}>
        {/* For password managers, which want a name. */}
        <input type="text" name="username" value="console" autocomplete="username" hidden readOnly />
        <input
          type="password"
          aria-label="API key"
          placeholder="API key"
          autocomplete="current-password"
          required
          value={key}
          onInput={(event) => (key.value = event.currentTarget.value)}
        />
        <button type="submit" class="primary">
          Open
        </button>
      </form>
      {operatorKey.value !== '' && (
        <p class="banner warn" role="alert">
          To this key the node says: {reason}.
        </p>
      )}
    </section>
  );
}
