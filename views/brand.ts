/** The council's colours in place of GOV.UK's blues. */
const colours: Record<string, string> = {
  '#1d70b8': '#0f6068',
  '#1a65a6': '#0b5963',
  '#0f385c': '#07343b',
  '#f4f8fb': '#f1f6f6',
  '#8eb8dc': '#a9c8c8',
  '#d2e2f1': '#d5e8e7',
};

/**
 * Takes out of govuk-frontend's compiled styles what only GOV.UK itself may use: its font, its crest and its brand colours.
 * Throws when a new version has something of the kind that this does not know.
 */
export function withoutGovUkBrand(css: string): string {
  const plain = css
    .replace(/\/\*![^*]*Margaret Calvert[^*]*\*\//g, '')
    .replace(/@font-face\{[^}]*\}/g, '')
    .replaceAll('GDS Transport,arial,sans-serif', 'var(--portal-font,arial,sans-serif)')
    .replaceAll('url(/assets/images/govuk-crest.svg)', 'none')
    .replace(/#[0-9a-f]{6}\b/g, colour => colours[colour] ?? colour);
  const left = /GDS Transport|url\(|crest/.exec(plain);
  if (left) throw new Error(`govuk-frontend's styles still hold "${left[0]}", which only GOV.UK may use`);
  return `${plain}\n`;
}
