// A script that stays within its means: its output must not depend on the allocator.

// Objects, inheritance, sorting.
class Item {
  static made = 0;
  #price;
  constructor(name, price) {
    this.name = name;
    this.#price = price;
    Item.made++;
  }
  get price() { return this.#price; }
  toString() { return `${this.name} at ${this.#price.toFixed(2)}`; }
}
class Rebated extends Item {
  get price() { return super.price * 0.9; }
}
const items = [];
for (let n = 0; n < 1000; n++) {
  const kind = n % 3 ? Item : Rebated;
  items.push(new kind("item-" + ((n * 7919) % 1000), ((n * 31) % 97) + n / 1000));
}
items.sort((a, b) => a.price - b.price || a.name.localeCompare(b.name));
print(Item.made, "items, from", items[0], "to", items.at(-1));
console.log("cheapest:", items.slice(0, 5).map((item) => item.name).join());

// JSON, there and back.
const document = {
  title: "Löwen & \"Straßen\" \u{1F981}",
  list: items.slice(0, 20).map(({ name, price }) => ({ name, price: +price.toFixed(3) })),
  nested: Array.from({ length: 50 }, (_, n) => ({ n, deeper: { squares: [n, n * n, [n ** 3]] } })),
  nothing: null,
};
const text = JSON.stringify(document, null, 1);
print("JSON:", text.length, JSON.stringify(JSON.parse(text)) === JSON.stringify(document));
print(text.split("\n").slice(0, 6).join("|"));

// Regular expressions.
const log = Array.from({ length: 300 }, (_, n) => `2024-${1 + (n % 12)}-${1 + (n % 28)} GET /page/${n}?q=${n % 7} ${n % 5 ? 200 : 404}`);
const line = /^(?<year>\d{4})-(?<month>\d+)-(?<day>\d+) GET (?<path>[^? ]+)\?q=(?<q>\d) (?<status>\d{3})$/;
const missing = log.map((each) => line.exec(each).groups).filter(({ status }) => status === "404");
print("404s:", missing.length, missing.map(({ path }) => path.replace(/\/page\/(\d+)/, "$1")).slice(0, 8).join());
print("words:", "the quick brown fox — der schnelle Löwe".match(/\p{Letter}+/gu).map((word) => word.length).join());

// Maps, sets, and objects as keys.
const byPrice = Map.groupBy(items, (item) => Math.floor(item.price / 20));
print("groups:", [...byPrice].map(([price, group]) => `${price}:${group.length}`).join(" "));
const seen = new Set(log.map((each) => each.slice(-3)));
const weak = new WeakMap(items.map((item, n) => [item, n]));
print("sets:", [...seen].join(), weak.get(items[500]));

// Generators, closures, destructuring.
function* primes() {
  const found = [];
  for (let n = 2; ; n++) {
    if (found.every((p) => n % p)) {
      found.push(n);
      yield n;
    }
  }
}
const firstPrimes = [];
for (const prime of primes()) {
  if (firstPrimes.push(prime) === 25) break;
}
const counters = Array.from({ length: 10 }, (_, n) => { let count = n; return () => (count += n); });
print("primes:", firstPrimes.join(" "));
print("closures:", counters.map((count) => count() + count()).reduce((a, b) => a + b));

// Strings, buffers, large numbers.
let built = "";
for (let n = 0; n < 20000; n++) built += String.fromCharCode(97 + (n * n) % 26);
print("string:", built.length, built.slice(0, 26), built.lastIndexOf("z"));
const bytes = new Uint8Array(1 << 16).map((_, n) => (n * 193) & 255);
print("bytes:", bytes.reduce((sum, byte) => (sum * 31 + byte) >>> 0, 7), new Float32Array(bytes.buffer, 4, 8).length);
print("factorial:", Array.from({ length: 60 }, (_, n) => BigInt(n + 1)).reduce((a, b) => a * b));

// Garbage, in cycles, several times the budget that the tests set.
let alive = null;
for (let n = 0; n < 200; n++) {
  const block = { bytes: new Uint8Array(1 << 20), other: {} };
  block.other.back = block;
  block.bytes[n] = n;
  if (n === 150) alive = block;
}
print("garbage:", alive.bytes[150], alive.other.back === alive);

// Errors are caught, promises settle, jobs run in their order.
try { null.property; } catch (e) { print("error:", e.name, e instanceof TypeError); }
try { (function dive() { dive(); })(); } catch (e) { print("error:", e.name); }
(async () => {
  for await (const n of (async function* () { yield* [1, 2, 3]; })()) print("job", n);
  const settled = await Promise.allSettled([Promise.reject(new Error("no")), Promise.resolve("yes")]);
  print(settled.map(({ status }) => status).join(), "at", "the", "end");
})();
queueMicrotask(() => print("microtask"));
print("script done");
