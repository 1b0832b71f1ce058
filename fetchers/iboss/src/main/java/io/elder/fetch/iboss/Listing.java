package io.elder.fetch.iboss;

/** A list, by the path and the field that the first version of this connector used. */
enum Listing {
    HEALTH("/health", ""),
    USERS("/users", "users"),
    GROUPS("/groups", "groups"),
    POLICIES("/policies", "policies"),
    APPLICATIONS("/applications", "applications"),
    CONNECTORS("/connectors", "connectors"),
    APPLICATION_USAGE("/reports/application-usage", "usage");

    private final String path;
    private final String items;

    Listing(String path, String items) {
        this.path = path;
        this.items = items;
    }

    String path() {
        return path;
    }

    String items() {
        return items;
    }
}
