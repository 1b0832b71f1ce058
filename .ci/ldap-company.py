#!/usr/bin/env python3
"""Prints a company as LDIF for slapadd: 10,000 users, 800 groups, 120,000 memberships, 60 OUs, always the same.

A twentieth of the memberships are of groups in groups, with a cycle. All three classes of groups are there.
"""
import base64
import hashlib
import random
import sys
import uuid

BASE = "dc=example,dc=com"
USERS, GROUPS, MEMBERSHIPS, OUS, NESTED = 10_000, 800, 120_000, 60, 6_000
chance = random.Random(42)
out = []


def entry(dn, classes, **attributes):
    lines = [f"dn: {dn}"] + [f"objectClass: {c}" for c in classes]
    lines.append(f"entryUUID: {uuid.uuid5(uuid.NAMESPACE_DNS, dn)}")
    for name, values in attributes.items():
        for value in values if isinstance(values, list) else [values]:
            if value.isascii():
                lines.append(f"{name}: {value}")
            else:
                lines.append(f"{name}:: {base64.b64encode(value.encode()).decode()}")
    out.append("\n".join(lines) + "\n")


def hashed(password):
    salt = b"saltsalt"
    return "{SSHA}" + base64.b64encode(hashlib.sha1(password.encode() + salt).digest() + salt).decode()


entry(BASE, ["top", "dcObject", "organization"], dc="example", o="Example")
for name in ("reader", "careful", "limited"):
    entry(f"cn={name},{BASE}", ["organizationalRole", "simpleSecurityObject"], cn=name,
          userPassword=hashed(f"{name}-secret"))

ous = []
for i in range(OUS):
    # Ten at the top, then each below one of those before it: a few levels deep.
    above = BASE if i < 10 else ous[(i * 7) % (i // 2)]
    name = f"Unit {i:02d}"
    ous.append(f"ou={name},{above}")
    entry(ous[-1], ["organizationalUnit"], ou=name)

users = []
for i in range(USERS):
    uid = f"user{i:05d}"
    surname = ("Müller", "O'Neil", "Smith, Jr.", "Díaz")[i % 4]
    dn = f"uid={uid},{ous[i % OUS]}"
    users.append(dn)
    entry(dn, ["inetOrgPerson"], uid=uid, cn=f"{surname} {i}", sn=surname, givenName=f"Given{i}",
          displayName=f"Given{i} {surname}", mail=f"{uid}@example.com", userPassword="{SSHA}never-published")

groups = [f"cn=group{i:03d},{ous[i % 10]}" for i in range(GROUPS)]
posix = {i for i in range(GROUPS) if i % 8 == 7}
members = {i: {} for i in range(GROUPS)}
total = 0
for i in range(GROUPS):  # a ring: every group that can hold a group holds the next one
    if i not in posix:
        members[i][groups[(i + 1) % GROUPS]] = True
        total += 1
while total < NESTED:
    i, j = chance.randrange(GROUPS), chance.randrange(GROUPS)
    if i not in posix and groups[j] not in members[i] and i != j:
        members[i][groups[j]] = True
        total += 1
for dn in users[:2000]:  # one big group
    members[0][dn] = True
    total += 1
for i in posix:
    members[i][users[i]] = True
    total += 1
while total < MEMBERSHIPS:
    i, dn = chance.randrange(1, GROUPS), users[chance.randrange(USERS)]
    if dn not in members[i]:
        members[i][dn] = True
        total += 1

for i, dn in enumerate(groups):
    name = f"group{i:03d}"
    values = list(members[i])
    if i in posix:
        entry(dn, ["posixGroup"], cn=name, gidNumber=str(10000 + i),
              memberUid=[v.split(",")[0].removeprefix("uid=") for v in values])
    elif i % 8 == 3:
        entry(dn, ["groupOfUniqueNames"], cn=name, uniqueMember=values)
    else:
        entry(dn, ["groupOfNames"], cn=name, member=values, description=f"Group {i}")

sys.stdout.write("\n".join(out))
