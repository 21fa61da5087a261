export type DemoOrganisation = {
  code: string;
  name: string;
  type: 'school' | 'trust' | 'other';
  provisioning: 'sims-ad' | 'eamw' | 'none';
  /** Services the council lets the organisation have. */
  services: readonly string[];
};

export const innovations = 'SP3';
export const school = '2746';

export const demoOrganisations: readonly DemoOrganisation[] = [
  {
    code: innovations,
    name: 'Innovations PLC - SP3',
    type: 'other',
    provisioning: 'eamw',
    services: ['schools-intranet', 'trailblazer', 'mopp', 'efs', 'property', 'hias', 'hms', 'governors'],
  },
  {
    code: school,
    name: 'Itchen Meadow Primary School',
    type: 'school',
    provisioning: 'sims-ad',
    services: ['schools-intranet', 'trailblazer', 'hias', 'hms', 'governors'],
  },
];
