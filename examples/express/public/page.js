import { Tutti } from '@tutti/client';

const find = (id) => document.getElementById(id);
const post = (path, body) =>
  fetch(path, { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body) });

find('login').addEventListener('submit', async (event) => {
  event.preventDefault();
  const answer = await post('/login', { name: new FormData(event.target).get('name') });
  if (!answer.ok) return;
  find('login').hidden = true;
  find('comment').hidden = false;
  await live();
});

async function live() {
  // No token: the browser sends the cookie of the login along, and the connect hook knows it.
  const tutti = new Tutti(`${location.origin.replace('http', 'ws')}/tutti/connection/websocket`);
  tutti.on('state', ({ to }) => (find('state').textContent = to));
  for (const order of await (await fetch('/orders')).json()) {
    const line = find('orders').appendChild(document.createElement('li'));
    const show = ({ id, status }) => (line.textContent = `Order ${id} is ${status}`);
    show(order);
    const subscription = tutti.subscribe(`orders:${order.id}`);
    // What the subscribe hook answered: the order as it is now, not as it was when the page was made.
    subscription.on('subscribed', ({ data }) => data && show(data));
    subscription.on('publication', ({ data }) => show(data));
  }
  const comments = tutti.subscribe('comments:all');
  comments.on('publication', ({ data }) => {
    find('comments').appendChild(document.createElement('li')).textContent = `${data.from}: ${data.text}`;
  });
  find('comment').addEventListener('submit', async (event) => {
    event.preventDefault();
    await comments.publish({ text: new FormData(event.target).get('text') });
    event.target.reset();
  });
}
