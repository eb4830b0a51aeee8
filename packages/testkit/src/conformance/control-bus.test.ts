import { MemoryBusNetwork } from '../memory-bus.ts';
import { SeededRandom } from '../seeded-random.ts';
import { VirtualClock } from '../virtual-clock.ts';
import { controlBusConformance, type ControlBusUnderTest } from './control-bus.ts';

function memory(delayMs: readonly [number, number]): Promise<ControlBusUnderTest> {
  const clock = new VirtualClock();
  const network = new MemoryBusNetwork(clock, new SeededRandom(1));
  network.faults = { delayMs };
  return Promise.resolve({
    bus: (node) => network.bus(node),
    advance: (ms) => {
      clock.advance(ms);
    },
    interrupt: () => {
      network.part();
      network.heal();
    },
    dispose: () => undefined,
  });
}

controlBusConformance('memory', () => memory([0, 0]));
controlBusConformance('memory with delays', () => memory([1, 40]));
