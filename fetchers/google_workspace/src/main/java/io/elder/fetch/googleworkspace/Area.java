package io.elder.fetch.googleworkspace;

/**
 * A part of the directory with a scope of its own. Each has its own token, so that a scope that was not delegated costs only
 * what needs it, and can be named.
 *
 * @see <a href="https://developers.google.com/workspace/admin/directory/v1/guides/authorizing">the scopes</a>
 */
enum Area {
    USERS("admin.directory.user.readonly", "Users > Read"),
    GROUPS("admin.directory.group.readonly", "Groups > Read"),
    ORG_UNITS("admin.directory.orgunit.readonly", "Organizational Units > Read");

    private final String scope;
    private final String privilege;

    Area(String scope, String privilege) {
        this.scope = scope;
        this.privilege = privilege;
    }

    String scope() {
        return "https://www.googleapis.com/auth/" + scope;
    }

    /** What the Admin console calls the right that the administrator needs. */
    String privilege() {
        return privilege;
    }
}
