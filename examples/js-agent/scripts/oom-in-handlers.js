// Memory ends in code that other code is waiting for: a sort's comparison, a setter, a proxy's
// trap, an iterator that a spread reads, a tag, an iterator's `return`. All of it may catch.
print("allocating in handlers");
const kept = [];
function guarded(work) {
  try {
    return work();
  } catch (e) {
    print("caught: " + e);
  }
}
const keep = (n) => kept.push(new Array(200).fill(n));
const handlers = [
  () => [3, 1, 2].sort((a, b) => keep(a) && a - b),
  () => { ({ set x(value) { keep(value); } }).x = 1; },
  () => new Proxy({}, { get: (_, name) => keep(name) }).any,
  () => [...{ *[Symbol.iterator]() { yield keep(1); yield keep(2); } }],
  () => "a-b-c".replace(/-/g, (match) => keep(match) && "+"),
  () => ((strings, ...values) => values.map(keep))`${1}${2}`,
  () => { for (const _ of { [Symbol.iterator]: () => ({ next: () => ({ value: 1 }), return: () => keep(1) && {} }) }) break; },
  () => JSON.parse('[1,{"a":2}]', (name, value) => keep(name) && value),
  () => JSON.stringify({ toJSON: () => keep(1) }),
  () => Array.from({ length: 3 }, keep),
];
for (let n = 0; n < 50_000; n++) guarded(handlers[n % handlers.length]);
print("still running");
