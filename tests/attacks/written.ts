/** A row of the corpus about one page: plain, with a letter escaped once or twice, in capitals, as a short file name. */
export function written({ target }: { target: string }, page: string, where: string): string {
  const letter = page.charCodeAt(page.length - 1).toString(16);
  const most = page.slice(0, -1);
  return target
    .replaceAll('{host}', where)
    .replaceAll('{}', page)
    .replaceAll('{%}', `${most}%${letter}`)
    .replaceAll('{%25}', `${most}%25${letter}`)
    .replaceAll('{A}', page.toUpperCase())
    .replaceAll('{~}', `${page.slice(0, 6)}~1`);
}
