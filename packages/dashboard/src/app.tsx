import { useEffect } from 'preact/hooks';
import { ErrorBoundary, LocationProvider, Route, Router, lazy, useLocation } from 'preact-iso';
import { Chat } from './chat/chat.tsx';
import { Home } from './home/home.tsx';
import { Ticker } from './ticker/ticker.tsx';
import { LinkStatus } from './ui/link-status.tsx';
import { Logo } from './ui/logo.tsx';

/** The chart library is loaded with the page that needs it. */
const Console = lazy(() => import('./console/console.tsx').then((module) => module.Console));

const pages = [
  { path: '/', title: 'Home' },
  { path: '/chat', title: 'Chat' },
  { path: '/ticker', title: 'Ticker' },
  { path: '/console', title: 'Console' },
] as const;

export function App() {
  return (
    <LocationProvider>
      <a class="skip" href="#main">
        Skip to the content
      </a>
      <Header />
      <main id="main" tabIndex={-1}>
        <ErrorBoundary>
          <Router>
            <Route path="/" component={Home} />
            <Route path="/chat" component={Chat} />
            <Route path="/ticker" component={Ticker} />
            <Route path="/console" component={Console} />
            <Route default component={Missing} />
          </Router>
        </ErrorBoundary>
      </main>
    </LocationProvider>
  );
}

function Header() {
  const { path } = useLocation();
  useEffect(() => {
    const page = pages.find((candidate) => candidate.path === path);
    document.title = page === undefined || page.path === '/' ? 'Tutti' : `${page.title} · Tutti`;
  }, [path]);
  return (
    <header class="top">
      <a class="brand" href="/" aria-label="Tutti, home">
        <Logo />
        <span>Tutti</span>
      </a>
      <nav aria-label="Pages">
        {pages.map((page) => (
          <a key={page.path} href={page.path} aria-current={page.path === path ? 'page' : undefined}>
            {page.title}
          </a>
        ))}
      </nav>
      <LinkStatus />
    </header>
  );
}

function Missing() {
  return (
    <section class="page narrow">
      <h1>Nothing is played here</h1>
      <p>
        This address has no page. <a href="/">Go home</a>, or look at <a href="/chat">the chat</a>.
      </p>
    </section>
  );
}
