package io.elder.fetch.ldap;

/**
 * A member as a group names it.
 *
 * @param id the entry's id, null if it is not one of the users and groups that are read
 * @param kind {@code ldap_user} or {@code ldap_group}, null like the id
 */
record LdapMember(String dn, String id, String kind) {
    static LdapMember unknown(String dn) {
        return new LdapMember(dn, null, null);
    }
}
