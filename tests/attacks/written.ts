/** A row of the corpus about one page: plain, a letter escaped once or twice, capitals, letters that fold, a short file name. */
export function written({ target }: { target: string }, page: string, where: string): string {
  const letter = page.charCodeAt(page.length - 1).toString(16);
  const most = page.slice(0, -1);
  return target
    .replaceAll('{host}', where)
    .replaceAll('{}', page)
    .replaceAll('{%}', `${most}%${letter}`)
    .replaceAll('{%25}', `${most}%25${letter}`)
    .replaceAll('{A}', page.toUpperCase())
    .replaceAll(
      '{A%}',
      `${most}%${page
        .toUpperCase()
        .charCodeAt(page.length - 1)
        .toString(16)}`,
    )
    .replaceAll('{ſ}', page.replaceAll('s', '%c5%bf').replaceAll('i', '%c4%b1'))
    .replaceAll('{~}', `${page.slice(0, 6)}~1`);
}
