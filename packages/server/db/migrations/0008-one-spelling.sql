-- Addresses have one spelling for composed and decomposed characters (Unicode Normalization Form C). One whose spelling
-- another account has already stays as it is: both are found by their exact spelling, and `curfew doctor` names them.
update users u set email = normalize(email, nfc), profile_version = profile_version + 1
where deleted_at is null and email is not nfc normalized
  and not exists (
    select from users other
    where other.deleted_at is null and other.id <> u.id
      and lower(normalize(other.email, nfc) collate "C") = lower(normalize(u.email, nfc) collate "C")
  );
