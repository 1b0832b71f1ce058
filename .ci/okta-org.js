// Prints the seed of an Okta org for emulate: 5,000 users of every status that emulate knows, 400 groups and 60,000
// memberships, with the one user, the one group and the one membership that emulate brings. The same at every call.
const statuses = ["STAGED", "PROVISIONED", "SUSPENDED", "DEPROVISIONED"];
const id = (prefix, n) => prefix + String(n).padStart(17, "0");

const users = [];
for (let n = 1; n < 5000; n++) {
  const login = `user${String(n).padStart(5, "0")}@example.com`;
  users.push({
    okta_id: id("00u", n),
    login,
    email: login,
    first_name: n % 50 === 7 ? "秀英" : "Given" + n,
    last_name: n % 50 === 7 ? "王" : "Family" + n,
    status: n % 20 === 3 ? statuses[(n / 20) % 4 | 0] : "ACTIVE",
  });
}
const groups = [];
for (let n = 1; n < 400; n++) {
  groups.push({
    okta_id: id("00g", n),
    name: n === 5 ? "N".repeat(300) : "group " + String(n).padStart(3, "0"),
    description: n % 3 === 0 ? undefined : "Group number " + n,
    type: n % 40 === 9 ? "BUILT_IN" : "OKTA_GROUP",
  });
}
// One user is in all groups, one group has a thousand members; the others share what is left.
const members = new Map(groups.map((group) => [group.okta_id, new Set([id("00u", 1)])]));
for (let n = 2; n <= 1000; n++) members.get(id("00g", 1)).add(id("00u", n));
let left = 59999 - 399 - 999;
for (let step = 0; left > 0; step++) {
  const group = members.get(id("00g", 2 + (step % 398)));
  const user = id("00u", 2 + ((step * 7919) % 4998));
  if (!group.has(user)) {
    group.add(user);
    left--;
  }
}
const memberships = [];
members.forEach((of, group) => of.forEach((user) => memberships.push({ group_okta_id: group, user_okta_id: user })));
process.stdout.write(JSON.stringify({ okta: { users, groups, group_memberships: memberships } }));
