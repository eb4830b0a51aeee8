/** What a node says of itself at `/metrics`. */
export interface Metrics {
  /** The sum over all lines of this metric whose labels hold `label`, such as `reason="rate"`. */
  sum(name: string, label?: string): number;
  /** Each value of the metric by the text of its labels. */
  byLabel(name: string): Readonly<Record<string, number>>;
}

export async function readMetrics(url: string): Promise<Metrics> {
  const response = await fetch(`${url}/metrics`);
  if (!response.ok) throw new Error(`/metrics answered ${response.status}`);
  const samples = (await response.text()).split('\n').flatMap((line) => {
    const [, name, labels = '', value] = /^([a-z_]+)(?:\{([^}]*)\})? (\S+)$/.exec(line) ?? [];
    return name === undefined ? [] : [{ name, labels, value: Number(value) }];
  });
  return {
    sum: (name, label = '') =>
      samples
        .filter((sample) => sample.name === name && sample.labels.includes(label))
        .reduce((total, sample) => total + sample.value, 0),
    byLabel: (name) =>
      Object.fromEntries(
        samples
          .filter((sample) => sample.name === name)
          .map(({ labels, value }) => [labels.replace(/^\w+="(.*)"$/, '$1'), value]),
      ),
  };
}
