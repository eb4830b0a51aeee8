import { signal } from '@preact/signals';
import { cleanRoom } from './names.ts';

export const standingRooms = ['general', 'random', 'support'] as const;
/** Most rooms of one's own in the list; the one added longest ago goes first. */
export const ownRoomsMax = 12;

const storageKey = 'tutti.rooms';

/** Rooms added in this browser, oldest first. */
export const ownRooms = signal<readonly string[]>(recall());

export function addRoom(name: string): void {
  ownRooms.value = withRoom(ownRooms.value, name);
  try {
    localStorage.setItem(storageKey, JSON.stringify(ownRooms.value));
  } catch {
    // Not remembered; the list lasts as long as the page.
  }
}

/** The list with a room added, unless it is there, is a standing one, or is no name. */
export function withRoom(rooms: readonly string[], name: string): readonly string[] {
  const isStanding = standingRooms.some((room) => room === name);
  if (name === '' || name !== cleanRoom(name) || isStanding || rooms.includes(name)) return rooms;
  return [...rooms, name].slice(-ownRoomsMax);
}

/** Reads what was stored; anything that is not a list of rooms is an empty one. */
export function parseRooms(text: string | null): readonly string[] {
  try {
    const value: unknown = JSON.parse(text ?? '[]');
    if (!Array.isArray(value)) return [];
    return value.reduce<readonly string[]>(
      (rooms, name) => (typeof name === 'string' ? withRoom(rooms, name) : rooms),
      [],
    );
  } catch {
    return [];
  }
}

function recall(): readonly string[] {
  try {
    return parseRooms(localStorage.getItem(storageKey));
  } catch {
    return [];
  }
}
