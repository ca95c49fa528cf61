// The page's words in the person's language, and its addresses: written by the server into #words.
export const words = document.getElementById("words").dataset;
