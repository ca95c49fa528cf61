// Chooses the browser's time zone where nothing has been chosen yet; the server's stays where there is no script.
const { timeZone } = Intl.DateTimeFormat().resolvedOptions();
for (const field of document.querySelectorAll("select[data-zone]")) {
  const known = [...field.options].some(({ value }) => value === timeZone);
  if (!field.value && known) field.value = timeZone;
}
