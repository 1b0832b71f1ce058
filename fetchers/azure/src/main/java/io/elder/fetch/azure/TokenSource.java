package io.elder.fetch.azure;

import java.io.IOException;

/** Where the token of a request comes from: a credential, and something simpler in tests. */
@FunctionalInterface
interface TokenSource {
    /** A token that is good for some minutes more. */
    String token() throws IOException, InterruptedException;
}
