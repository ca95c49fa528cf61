// Passkeys: what the server asks for goes to the browser's authenticator, its answer into the form, and the form is sent.
// A form with data-passkey="make" or "use" carries the options; data-passkey="fetch" gets them from data-url first.
const bytes = (text) => Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (char) => char.charCodeAt(0));

function text(buffer) {
  const binary = Array.from(new Uint8Array(buffer), (byte) => String.fromCharCode(byte)).join("");
  return btoa(binary).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
}

// The options as the browser wants them: bytes where the server could only write text.
function asked(options) {
  const { publicKey } = options;
  publicKey.challenge = bytes(publicKey.challenge);
  if (publicKey.user) publicKey.user.id = bytes(publicKey.user.id);
  for (const list of [publicKey.allowCredentials, publicKey.excludeCredentials]) {
    for (const known of list || []) known.id = bytes(known.id);
  }
  return { publicKey };
}

// The answer as the server wants it.
function answered(credential) {
  const { response } = credential;
  const parts = ["clientDataJSON", "attestationObject", "authenticatorData", "signature", "userHandle"];
  const given = Object.fromEntries(parts.filter((name) => response[name]).map((name) => [name, text(response[name])]));
  if (response.getTransports) given.transports = response.getTransports();
  return JSON.stringify({
    id: credential.id,
    rawId: text(credential.rawId),
    type: credential.type,
    authenticatorAttachment: credential.authenticatorAttachment || null,
    clientExtensionResults: credential.getClientExtensionResults(),
    response: given,
  });
}

async function options(form) {
  if (form.dataset.passkey !== "fetch") return JSON.parse(form.dataset.options);
  const answer = await fetch(form.dataset.url, { headers: { "X-Requested-With": "XMLHttpRequest" } });
  if (!answer.ok) throw new Error(answer.status);
  return (await answer.json()).request_options;
}

function tell(form, words) {
  const note = form.parentElement.querySelector("[data-said]");
  note.querySelector("p").textContent = words;
  note.hidden = !words;
}

for (const form of document.querySelectorAll("form[data-passkey]")) {
  const supported = Boolean(window.PublicKeyCredential);
  if (form.dataset.passkey === "fetch") form.hidden = !supported;
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (!supported) {
      tell(form, form.dataset.unsupported);
      return;
    }
    tell(form, "");
    try {
      const wanted = asked(await options(form));
      const way = form.dataset.passkey === "make" ? "create" : "get";
      form.elements.credential.value = answered(await navigator.credentials[way](wanted));
    } catch {
      // Closed, too late, or a key that is not on the list: the browser does not say which, on purpose.
      tell(form, form.dataset.refused);
      return;
    }
    form.submit();
  });
}
