/** One request to the hub's API: its JSON, or an error. */
export async function ask(form, url, { method = "GET", body, signal } = {}) {
  const headers = { "X-XSRFToken": form.dataset.xsrf, Accept: "application/json" };
  if (body !== undefined) headers["Content-Type"] = "application/json";
  const answer = await fetch(url, {
    method,
    headers,
    signal,
    cache: "no-store",
    body: body === undefined ? undefined : JSON.stringify(body),
  });
  const told = answer.status === 204 ? null : await answer.json().catch(() => null);
  if (!answer.ok) {
    throw Object.assign(new Error(told?.message ?? `HTTP ${answer.status}`), { status: answer.status });
  }
  return told;
}
