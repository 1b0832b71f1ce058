package io.elder.fetch.azure;

import io.elder.fetch.Verdict;
import java.io.IOException;

/** No token was given out. */
final class LoginFailure extends IOException {
    private static final long serialVersionUID = 1L;

    private final transient Verdict verdict;

    LoginFailure(Verdict verdict, String message) {
        super(message);
        this.verdict = verdict;
    }

    Verdict verdict() {
        return verdict;
    }
}
