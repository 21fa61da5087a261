import { innovations, school } from './organisations.ts';

export type DemoPerson = {
  /** Id of the person in the county's list of accounts; null for people registered by e-mail. */
  sourceId: string | null;
  firstName: string;
  /** Empty for people known by one name. */
  lastName: string;
  email: string | null;
  phone: string | null;
  securityPhone: string | null;
  kind: 'education' | 'council' | 'registered';
  /** What the person types to sign in: a user ID, or the e-mail address of a registered person. */
  userId: string;
  /** Demo only: a real installation has no passwords in a file. */
  password: string;
  organisations: readonly DemoMembership[];
  councilOperator: boolean;
  /** For the table printed at start: what to try with this account. Null for people who only fill the lists. */
  tryThis: string | null;
};

export type DemoMembership = { code: string; jobRole: string | null; administrator: boolean; services: readonly string[] };

type Given = Pick<DemoPerson, 'userId' | 'password'> &
  Partial<Omit<DemoPerson, 'userId' | 'password' | 'firstName' | 'lastName' | 'organisations'>>;

const plainPerson = {
  email: null,
  phone: null,
  securityPhone: null,
  kind: 'education',
  councilOperator: false,
  tryThis: null,
} as const;

function someone(firstName: string, lastName: string, organisations: readonly DemoMembership[], given: Given): DemoPerson {
  const sourceId = given.kind === 'registered' ? null : `demo-${given.userId.toLowerCase()}`;
  return { ...plainPerson, sourceId, firstName, lastName, organisations, ...given };
}

const member = (code: string, jobRole: string | null, services: readonly string[] = []): DemoMembership => ({
  code,
  jobRole,
  administrator: false,
  services,
});
const administrator = (code: string, jobRole: string, services: readonly string[] = []): DemoMembership => ({
  code,
  jobRole,
  administrator: true,
  services,
});

/** The ten people of the county's guide. Phone numbers are kept as unusable as they are there. */
const peopleOfTheGuide: readonly DemoPerson[] = [
  someone('Ken', '', [member(innovations, 'Admin Office staff')], {
    userId: 'KEN144',
    password: 'copper-kettle-144',
    email: 'ken.hcc@ola.example',
    phone: '01962 144',
    tryThis: 'Staff without access: give him some',
  }),
  someone('Ben', '', [member(innovations, null)], {
    userId: 'BEN155',
    password: 'walnut-ladder-155',
    email: 'ben.hcc@ola.example',
    phone: '01962 155',
  }),
  someone('Wendy', '', [member(innovations, 'Senior Leader', ['schools-intranet', 'trailblazer'])], {
    userId: 'WENDY166',
    password: 'heron-basket-166',
    email: 'wendy.hcc@ola.example',
    phone: '01962 166',
    securityPhone: '+447700900166',
    tryThis: 'Staff with two services',
  }),
  someone('Ollie', '', [member(innovations, null, ['mopp']), member(school, 'Supply teacher', ['trailblazer'])], {
    userId: 'OLLIE199',
    password: 'marble-ferry-199',
    email: 'ollie.hcc@ola.example',
    phone: '01962 199',
    tryThis: 'In both organisations: switch between them',
  }),
  someone('Mike', '', [member(innovations, null)], {
    userId: 'MIKE122',
    password: 'saddle-orchard-122',
    email: 'mike.hcc@ola.example',
    phone: '01962 122',
  }),
  someone('James', 'Howell', [administrator(innovations, 'Headteacher', ['efs', 'hias'])], {
    userId: 'JHOWEL12',
    password: 'lantern-harbour-12',
    email: 'james.howell@innovations.example',
    phone: '0000000000',
    tryThis: 'Organisation Administrator of Innovations: start here',
  }),
  someone('Paul', '', [member(innovations, null)], {
    kind: 'registered',
    userId: 'paul@innovations.example',
    password: 'thistle-window-88',
    email: 'paul@innovations.example',
    phone: '0000000000',
    tryThis: 'Signs in with an email address',
  }),
  someone('Julia', 'Taylor', [member(innovations, null)], {
    kind: 'council',
    userId: 'ITCSJT',
    password: 'pebble-compass-31',
    email: 'itcsjt@hants.gov.uk',
    phone: '0000000000',
    tryThis: 'Signs in with a council user ID',
  }),
  someone('Carl', '', [member(innovations, null)], {
    kind: 'registered',
    userId: 'carlospictor@pictor.example',
    password: 'juniper-candle-63',
    email: 'carlospictor@pictor.example',
    phone: '01962 163',
  }),
  someone('Lisa', 'Phillips', [member(innovations, null, ['governors'])], {
    kind: 'council',
    userId: 'EDSCLP2',
    password: 'velvet-anchor-42',
    email: 'lisa.phillips2@hants.gov.uk',
    phone: '0000000000',
  }),
];

/** A school whose names are as varied as names are. */
const peopleOfTheSchool: readonly DemoPerson[] = [
  someone('Helen', 'Marsh', [administrator(school, 'Headteacher', ['hias', 'governors'])], {
    userId: 'HMARSH3',
    password: 'bramble-station-3',
    email: 'h.marsh@itchenmeadow.example',
    phone: '01632 960103',
    tryThis: 'Organisation Administrator of the school',
  }),
  someone('Siobhán', "O'Brien", [administrator(school, 'Admin Office staff')], {
    userId: 'SOBRIE4',
    password: 'granite-meadow-4',
    email: 's.obrien@itchenmeadow.example',
    phone: '01632 960104',
  }),
  someone('Jane', 'Smith', [member(school, 'Teacher', ['schools-intranet', 'hms'])], {
    userId: 'JSMITH12',
    password: 'cobalt-garden-12',
    email: 'jane.smith@itchenmeadow.example',
    tryThis: 'Staff of the school with two services',
  }),
  someone('Zoë', 'Brontë', [member(school, 'Teacher')], {
    userId: 'ZBRONT1',
    password: 'maple-signal-1',
    email: 'z.bronte@itchenmeadow.example',
  }),
  someone('Ana', 'de la Cruz', [member(school, 'Safeguarding lead')], {
    userId: 'ADELAC2',
    password: 'cedar-bottle-2',
    email: 'a.delacruz@itchenmeadow.example',
  }),
  someone('Wilhelmina', 'Featherstonehaugh-Cholmondeley-Marjoribanks-Smyth', [member(school, 'Governor')], {
    userId: 'WFEATH7',
    password: 'turnip-gallery-7',
    email: 'w.fcms@itchenmeadow.example',
  }),
  someone('ليلى', 'حداد', [member(school, 'Teaching assistant')], {
    userId: 'LHADDA5',
    password: 'silver-pigeon-5',
    email: 'l.haddad@itchenmeadow.example',
  }),
  someone('Madhavan', '', [member(school, 'Music teacher', ['hms'])], {
    userId: 'MADHAV9',
    password: 'cherry-tunnel-9',
    email: 'madhavan@itchenmeadow.example',
  }),
];

const peopleOfTheCouncil: readonly DemoPerson[] = [
  someone('Margaret', 'Cole', [], {
    kind: 'council',
    userId: 'OPSCMC',
    password: 'barley-lighthouse-5',
    email: 'margaret.cole@hants.gov.uk',
    councilOperator: true,
    tryThis: 'Council operator',
  }),
];

export const demoPeople: readonly DemoPerson[] = [...peopleOfTheGuide, ...peopleOfTheSchool, ...peopleOfTheCouncil];
