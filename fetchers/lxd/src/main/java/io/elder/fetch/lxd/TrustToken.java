package io.elder.fetch.lxd;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.elder.runtime.Secret;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import java.util.Optional;

/**
 * What an LXD gives out so that a certificate that it has never seen may be trusted, once: JSON in Base64.
 *
 * @param text the token as a whole, as it is handed in
 * @param fingerprint of the server's certificate
 * @param addresses where the server listens, as host and port
 * @see <a href="https://documentation.ubuntu.com/lxd/latest/authentication/#tls-client-certificates">LXD: authentication</a>
 */
record TrustToken(Secret text, String fingerprint, List<String> addresses) {
    private static final ObjectMapper JSON = new ObjectMapper();

    /** Empty where it is no such token. */
    static Optional<TrustToken> decode(String text) {
        try {
            JsonNode token = JSON.readTree(Base64.getDecoder().decode(text.strip()));
            List<String> addresses = new ArrayList<>();
            token.path("addresses").forEach(address -> addresses.add(address.asText()));
            String fingerprint = token.path("fingerprint").asText();
            boolean isToken = fingerprint.matches("\\p{XDigit}{64}")
                    && token.path("secret").isTextual();
            return isToken
                    ? Optional.of(new TrustToken(new Secret(text.strip()), fingerprint, List.copyOf(addresses)))
                    : Optional.empty();
        } catch (IOException | IllegalArgumentException e) {
            return Optional.empty();
        }
    }
}
