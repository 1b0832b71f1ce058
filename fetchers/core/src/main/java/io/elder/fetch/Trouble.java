package io.elder.fetch;

import java.net.ConnectException;
import java.net.NoRouteToHostException;
import java.net.SocketException;
import java.net.SocketTimeoutException;
import java.net.UnknownHostException;
import java.net.http.HttpConnectTimeoutException;
import java.net.http.HttpTimeoutException;
import java.nio.channels.UnresolvedAddressException;
import java.security.cert.CertPathBuilderException;
import java.security.cert.CertificateException;
import java.security.cert.CertificateExpiredException;
import java.util.Objects;
import java.util.Optional;
import java.util.stream.Stream;
import javax.net.ssl.SSLException;

/** Failures in words for a person, who wants to know how far a connection got: DNS, TCP, TLS, or an answer. */
final class Trouble {
    private Trouble() {}

    /** What the network said, where it was the network; else the failure's own message. */
    static String inWords(Throwable failure) {
        return ofNetwork(failure).orElseGet(() -> message(failure));
    }

    /** Empty where the failure is no network's. */
    static Optional<String> ofNetwork(Throwable failure) {
        // The innermost cause says most: libraries wrap what the JDK throws.
        return Stream.iterate(failure, Objects::nonNull, Throwable::getCause)
                .limit(20)
                .flatMap(each -> one(each).stream())
                .reduce((outer, inner) -> inner);
    }

    private static Optional<String> one(Throwable failure) {
        return switch (failure) {
            case UnknownHostException e -> Optional.of("DNS: " + message(e) + " has no address");
            case UnresolvedAddressException e -> Optional.of("DNS: the host's name has no address");
            case HttpConnectTimeoutException e -> Optional.of("TCP: no connection in time");
            case HttpTimeoutException e -> Optional.of("no answer in time");
            case SocketTimeoutException e -> Optional.of("TCP: no answer in time: " + message(e));
            case NoRouteToHostException e -> Optional.of("TCP: no route to the host");
            case ConnectException e ->
                Optional.of("TCP: " + (e.getMessage() == null ? "connection refused" : message(e)));
            case CertificateExpiredException e ->
                Optional.of("TLS: the server's certificate has expired: " + message(e));
            case CertPathBuilderException e ->
                Optional.of("TLS: the server's certificate is signed by nobody who is trusted here");
            case CertificateException e -> Optional.of("TLS: the server's certificate: " + message(e));
            case SSLException e -> Optional.of("TLS: " + message(e));
            case SocketException e -> Optional.of("TCP: " + message(e));
            default -> Optional.empty();
        };
    }

    private static String message(Throwable failure) {
        return failure.getMessage() == null ? failure.getClass().getSimpleName() : failure.getMessage();
    }
}
