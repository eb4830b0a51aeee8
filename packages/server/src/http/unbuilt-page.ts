import type { HttpBody } from './respond.ts';

/** Shown in place of the dashboard where it was not built. */
export const unbuiltPage: HttpBody = {
  type: 'text/html; charset=utf-8',
  bytes: Buffer.from(`<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Tutti is running</title>
<style>
  body { font: 18px/1.6 system-ui, sans-serif; max-width: 34em; margin: 15vh auto; padding: 0 1em; color-scheme: light dark; }
  code { padding: .15em .4em; border-radius: 4px; background: #8883; }
</style>
<h1>Tutti is running.</h1>
<p>Its page is not built yet. In the project's folder, run</p>
<p><code>npm run build:dashboard</code></p>
<p>and reload. Clients can connect already, at <code>/connection/websocket</code>.</p>
</html>
`),
};
