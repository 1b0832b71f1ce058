#!/usr/bin/env python3
"""Prints a small company as LDIF for a domain: 1,610 users, one disabled, nested groups with a cycle, one of 1,600 members."""
import sys

base = sys.argv[1]
out = []


def entry(dn, **attributes):
    lines = [f"dn: {dn}"]
    for name, values in attributes.items():
        lines += [f"{name}: {value}" for value in (values if isinstance(values, list) else [values])]
    out.append("\n".join(lines) + "\n")


entry(f"OU=Staff,{base}", objectClass="organizationalUnit")
entry(f"OU=Sales,OU=Staff,{base}", objectClass="organizationalUnit")
sales = f"OU=Sales,OU=Staff,{base}"


def user(name, control="512"):
    dn = f"CN={name.capitalize()} Example,{sales}"
    entry(dn, objectClass="user", sAMAccountName=name, userPrincipalName=f"{name}@corp.example.test",
          givenName=name.capitalize(), sn="Example", displayName=f"{name.capitalize()} Example",
          mail=f"{name}@corp.example.test", userAccountControl=control)
    return dn


people = [user(name, "514") for name in ("alice", "dave", "lock", "mustchange", "expired")]
crowd = [user(f"crowd{i:04d}", "546") for i in range(1600)]
# LDIF order: a member must be there before its group, so the cycle is closed by a change at the end.
entry(f"CN=big,CN=Users,{base}", objectClass="group", sAMAccountName="big", member=crowd)
entry(f"CN=sales,CN=Users,{base}", objectClass="group", sAMAccountName="sales", member=people[:2])
entry(f"CN=emea,CN=Users,{base}", objectClass="group", sAMAccountName="emea", member=[f"CN=sales,CN=Users,{base}", people[0]])
entry(f"CN=loop,CN=Users,{base}", objectClass="group", sAMAccountName="loop",
      member=[f"CN=emea,CN=Users,{base}"])
entry(f"CN=PC1,CN=Computers,{base}", objectClass="computer", sAMAccountName="PC1$", userAccountControl="4096")
sys.stdout.write("\n".join(out))
