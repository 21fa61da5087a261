import type { Generated, Kysely, Selectable } from 'kysely';

// Only text and whole numbers: booleans are 0 or 1, times are milliseconds since 1970. The two databases then give back equal values.

export type IdentityKind = 'education' | 'council' | 'registered';
export const providers = ['directory', 'local'] as const;
export type Provider = (typeof providers)[number];
export type OrganisationType = 'school' | 'trust' | 'other';
export type Provisioning = 'sims-ad' | 'eamw' | 'none';
export type RuleDomain = `o:${number}` | 'o:council';
export type CodePurpose = 'register-phone' | 'administration';
export type LinkPurpose = 'invitation' | 'reset';
export type Channel = 'email' | 'text';
export type MessageStatus = 'waiting' | 'sending' | 'sent' | 'failed';

export type Tables = {
  installation: { key: string; value: string };
  organisations: {
    id: Generated<number>;
    code: string;
    name: string;
    name_search: string;
    type: OrganisationType;
    provisioning: Provisioning;
    closed_at: number | null;
    created_at: number;
  };
  people: {
    id: Generated<number>;
    source_id: string | null;
    first_name: string;
    last_name: string;
    email: string | null;
    email_key: string | null;
    email_search: string | null;
    phone: string | null;
    name_search: string;
    active: number;
    security_phone: string | null;
    security_phone_set_at: number | null;
    created_at: number;
    last_signed_in_at: number | null;
  };
  identities: {
    id: Generated<number>;
    person_id: number;
    kind: IdentityKind;
    provider: Provider;
    subject: string;
    subject_key: string;
    subject_search: string | null;
    password_hash: string | null;
    password_set_at: number | null;
    created_at: number;
  };
  memberships: {
    person_id: number;
    organisation_id: number;
    job_role: string | null;
    joined_at: number;
    removed_at: number | null;
    removed_by: number | null;
    removed_reason: string | null;
    version: Generated<number>;
  };
  rules: {
    id: Generated<number>;
    domain: RuleDomain;
    ptype: 'p' | 'g';
    v0: string;
    v1: string;
    v2: string;
    v3: string | null;
    v4: string | null;
    starts_at: number | null;
    ends_at: number | null;
    granted_at: number;
    granted_by: number | null;
    reason: string | null;
    revoked_at: number | null;
    revoked_by: number | null;
  };
  sessions: {
    id: Generated<number>;
    person_id: number;
    organisation_id: number | null;
    kind: IdentityKind;
    created_at: number;
    last_seen_at: number;
    admin_seen_at: number | null;
    ended_at: number | null;
    end_reason: string | null;
    address: string;
    agent: string;
  };
  session_tokens: { token_hash: string; session_id: number; host: string; created_at: number };
  handoff_codes: {
    code_hash: string;
    session_id: number;
    host: string;
    nonce_hash: string;
    return_path: string;
    expires_at: number;
    taken_at: number | null;
  };
  kept_forms: {
    id: Generated<number>;
    person_id: number;
    host: string;
    nonce_hash: string;
    sealed: string;
    created_at: number;
    expires_at: number;
  };
  security_codes: {
    id: Generated<number>;
    person_id: number;
    session_id: number;
    purpose: CodePurpose;
    phone: string;
    code_hash: string;
    created_at: number;
    expires_at: number;
    used_at: number | null;
  };
  one_time_links: {
    id: Generated<number>;
    link_hash: string;
    person_id: number;
    purpose: LinkPurpose;
    created_at: number;
    expires_at: number;
    used_at: number | null;
    cancelled_at: number | null;
  };
  attempts: { id: Generated<number>; kind: string; key: string; at: number };
  activity: {
    id: number;
    at: number;
    kind: string;
    actor_id: number | null;
    organisation_id: number | null;
    person_id: number | null;
    session_id: number | null;
    service: string | null;
    data: string;
    text_hash: string;
    chain_hash: string;
  };
  activity_text: { activity_id: number; salt: string; text: string };
  events: {
    id: Generated<number>;
    at: number;
    kind: string;
    person_id: number | null;
    organisation_id: number | null;
    service: string | null;
    session_id: number | null;
    data: string;
  };
  outbox: {
    id: Generated<number>;
    created_at: number;
    channel: Channel;
    recipient: string;
    template: string;
    data: string;
    sealed: string | null;
    person_id: number | null;
    activity_id: number | null;
    status: MessageStatus;
    tries: Generated<number>;
    next_try_at: number;
    leased_until: number | null;
    expires_at: number | null;
    sent_at: number | null;
    last_error: string | null;
  };
  jobs: { name: string; leased_by: string | null; leased_until: number | null; last_run_at: number | null };
};

/** Whatever can be asked: the store's `db`, or the transaction of a change (which is a Kysely too). */
export type Reader = Kysely<Tables>;
export type PersonRow = Selectable<Tables['people']>;
export type OrganisationRow = Selectable<Tables['organisations']>;
