// Search for a page that was opened from disk. A browser starts no Worker there, so the search's script runs in a
// hidden frame, which takes and gives the same messages. Over http the browser's own Worker is used.
if (location.protocol === "file:") {
  window.Worker = class extends EventTarget {
    constructor(url) {
      super();
      this.frame = document.createElement("iframe");
      this.frame.hidden = true;
      document.body.append(this.frame);
      this.inside = this.frame.contentWindow;
      this.onmessage = null;
      addEventListener("message", (event) => {
        if (event.source !== this.inside) return;
        event.stopImmediatePropagation();
        const own = new MessageEvent("message", { data: event.data });
        this.dispatchEvent(own);
        if (this.onmessage) this.onmessage(own);
      });
      const inside = this.inside.document;
      inside.open();
      inside.write(`<!doctype html><body><script>
        self.postMessage = (data) => parent.postMessage(data, "*");
        self.importScripts = (...urls) => urls.reduce((before, url) => before.then(() => new Promise((done, failed) => {
          const script = document.createElement("script");
          script.src = url;
          script.onload = done;
          script.onerror = failed;
          document.body.append(script);
        })), Promise.resolve());
      </script><script src="${url}"></script></body>`);
      inside.close();
      this.ready = new Promise((done) => { this.frame.onload = done; });
    }

    postMessage(data) {
      this.ready.then(() => this.inside.dispatchEvent(new MessageEvent("message", { data, source: parent })));
    }

    terminate() {
      this.frame.remove();
    }
  };
}
