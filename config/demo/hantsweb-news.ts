import type { Service } from '../catalogue.ts';

const news: Readonly<Record<string, readonly string[]>> = {
  'schools-intranet': ['SIMS: the autumn workbook is ready to download.', 'Planned work on the schools network on Saturday morning.'],
  trailblazer: ['New risk advice for river studies.', 'Award records for the summer term are due by Friday.'],
  mopp: ['Section 7 has a new model letter for flexible working.', 'The pay policy for the coming year is out.'],
  efs: ['Closing of accounts: timetable for the year end.', 'Budget share workbook, second issue.'],
  property: ['Boiler checks: send the form before half term.', 'Who to ring when the roof leaks.'],
  hias: ['Subject leader meetings for the spring term.', 'Notes of the mathematics conference.'],
  hms: ['Instruments on loan: how to send them back for repair.', 'County orchestra auditions.'],
  governors: ['The termly briefing for chairs and clerks.', 'Induction training: dates for new governors.'],
};

/** A few lines of old news; a service without its own has some that fit any. */
export function newsOf(service: Service): { date: string; text: string }[] {
  const texts = news[service.id] ?? [`${service.shortName} has a new page.`, 'Please tell us if a link is broken.'];
  const dates = ['14 November 2008', '3 October 2008'];
  return texts.map((text, index) => ({ date: dates[index] ?? '1 September 2008', text }));
}

/** Old pages borrow pictures from other sites of the council, and the visitor has to be signed in there too. */
export function newsPictureOf(service: Service): { address: string; text: string } | null {
  return service.id === 'trailblazer' ? { address: 'https://intranet.hants.gov.uk/images/walk.svg', text: 'The map of a walk' } : null;
}
