// Jobs that make more jobs, so that memory ends inside the job queue. No promise here settles, so
// no handler has anything to say but the end of memory.
print("queueing jobs");
const caught = (e) => print("caught: " + e);
async function grow() {
  try {
    await null;
    await Promise.all([grow(), grow()]).then(caught, caught).finally(caught);
  } catch (e) {
    caught(e);
  } finally {
    print("caught nothing, but finally ran");
  }
}
grow().then(caught).catch(caught).finally(caught);
queueMicrotask(function more() {
  try {
    queueMicrotask(more);
    Promise.reject(new Error("on purpose")).catch(() => {});
  } catch (e) {
    caught(e);
  }
});
