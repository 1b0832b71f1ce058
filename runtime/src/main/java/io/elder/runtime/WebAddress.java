package io.elder.runtime;

import java.net.URI;
import java.util.Optional;
import java.util.Set;

/** Addresses of servers as people write them into settings. */
public final class WebAddress {
    private static final Set<String> THIS_MACHINE = Set.of("127.0.0.1", "localhost", "[::1]");

    private WebAddress() {}

    /**
     * A URL of http or https with a host; a bare host means https. Empty where it is nothing of the kind, and where
     * it holds a user or a password, which belong into settings of their own.
     */
    public static Optional<URI> of(String text) {
        try {
            URI url = URI.create(text.contains("://") ? text : "https://" + text);
            boolean isWeb = "https".equals(url.getScheme()) || "http".equals(url.getScheme());
            return url.getHost() != null && url.getRawUserInfo() == null && isWeb ? Optional.of(url) : Optional.empty();
        } catch (IllegalArgumentException e) {
            return Optional.empty();
        }
    }

    /** The same of a server that is told a secret: http, where it could be read on the way, is for servers of this machine. */
    public static Optional<URI> secure(String text) {
        return of(text).filter(url -> "https".equals(url.getScheme()) || THIS_MACHINE.contains(url.getHost()));
    }
}
