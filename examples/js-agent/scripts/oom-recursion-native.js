// Recursion through the engine's native functions, each of which calls back into the script, one
// after the other. Run with `--native-stack`.
print("recursing through native frames");
const doors = [
  (step) => [1].map(step),
  (step) => [2, 1].sort(() => step() && 0),
  (step) => JSON.stringify({ toJSON: step }),
  (step) => JSON.parse("[1]", step),
  (step) => "a".replace(/a/, step),
  (step) => Reflect.apply(step, null, []),
  (step) => ({ get x() { return step(); } }).x,
  (step) => new Proxy({}, { has: step }) && "x" in new Proxy({}, { has: step }),
  (step) => Reflect.construct(function () { step(); }, []),
  (step) => `${{ toString: step }}`,
  (step) => +{ valueOf: step },
  (step) => [...{ *[Symbol.iterator]() { yield step(); } }],
  (step) => new Map([[1, 1]]).forEach(step),
  (step) => Array.from([1], step),
  (step) => [1].reduce(step, 0),
  (step) => step.bind(null)(),
  (step) => new (class { field = step(); })(),
  (step) => eval("step()"),
];
function dive(depth) {
  try {
    return doors[depth % doors.length](() => dive(depth + 1));
  } catch (e) {
    print("caught: " + e);
  } finally {
    print("caught nothing, but finally ran");
  }
}
Promise.resolve().then(() => print("caught nothing, but a job ran"));
dive(0);
print("still running");
