import { effect } from '@preact/signals';
import { render } from 'preact';
import { App } from './app.tsx';
import { operatorKey, operatorToken } from './console/operator.ts';
import { me } from './identity.ts';
import { connectAs } from './live.ts';
import './styles/base.css';
import './styles/home.css';
import './styles/chat.css';
import './styles/ticker.css';

effect(() => connectAs(me.value, operatorToken(operatorKey.value)));

const root = document.getElementById('app');
if (root) render(<App />, root);
