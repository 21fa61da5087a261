// An account is one person's. An address that a whole office reads would let each of them sign in as that person.
const shared = new Set(
  [
    'account accounts admin adminoffice administration administrator all bookings bursar business businessmanager clerk contact contacts',
    'contactus dsl email enquiries enquiry everyone exams feedback finance general governor governors head headmaster headmistress',
    'headoffice headspa headteacher headteachers help helpdesk hello hr ict info information it itsupport library mail mailbox main',
    'mainoffice noreply nursery office officeadmin parents post postmaster principal reception receptionist registrar safeguarding school',
    'schooladmin schooloffice secretary security senco send slt staff support teachers team theoffice theschool webmaster',
  ].flatMap(line => line.split(' ')),
);

/** True for addresses like office@ or admin@ that are not one person's, however they are dotted, numbered or tagged. */
export function isSharedAddress(email: string): boolean {
  const local = email.slice(0, email.lastIndexOf('@')).split('+')[0] ?? '';
  return shared.has(
    local
      .normalize('NFKC')
      .toLowerCase()
      .replace(/[^\p{L}]/gu, ''),
  );
}
