package io.elder.fetch.http;

import io.elder.fetch.BadConfigurationException;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.KeyStore;
import java.security.MessageDigest;
import java.security.cert.Certificate;
import java.security.cert.CertificateException;
import java.security.cert.CertificateFactory;
import java.security.cert.X509Certificate;
import java.util.Collection;
import java.util.HexFormat;
import java.util.Locale;
import javax.net.ssl.KeyManager;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLEngine;
import javax.net.ssl.TrustManager;
import javax.net.ssl.TrustManagerFactory;
import javax.net.ssl.X509ExtendedTrustManager;

/** Whom to believe that it is the server: the certificates of a file, one certificate, or anybody. */
public final class Tls {
    private Tls() {}

    /**
     * @param trust null for what the JVM trusts
     * @param key null for no certificate of our own
     */
    public static SSLContext context(TrustManager trust, KeyManager key) {
        try {
            SSLContext context = SSLContext.getInstance("TLS");
            context.init(
                    key == null ? null : new KeyManager[] {key},
                    trust == null ? null : new TrustManager[] {trust},
                    null);
            return context;
        } catch (GeneralSecurityException e) {
            throw new IllegalStateException("every JVM has TLS", e);
        }
    }

    /** Certificates in PEM, of authorities or of the server itself; the server's name is checked. */
    public static TrustManager authorities(String setting, Path file) {
        String expected = " (expected: certificates in PEM)";
        try {
            KeyStore store = KeyStore.getInstance(KeyStore.getDefaultType());
            store.load(null, null);
            for (Certificate certificate : certificates(Files.readString(file))) {
                store.setCertificateEntry(Integer.toString(store.size()), certificate);
            }
            if (store.size() == 0) {
                throw new BadConfigurationException(setting + ": nothing in " + file + expected);
            }
            TrustManagerFactory factory = TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
            factory.init(store);
            return factory.getTrustManagers()[0];
        } catch (IOException e) {
            throw new BadConfigurationException(setting + ": " + file + " can't be read" + expected, e);
        } catch (GeneralSecurityException e) {
            throw new BadConfigurationException(setting + ": " + file + ": " + e.getMessage() + expected, e);
        }
    }

    public static Collection<? extends Certificate> certificates(String pem) throws CertificateException {
        return CertificateFactory.getInstance("X.509")
                .generateCertificates(new ByteArrayInputStream(pem.getBytes(StandardCharsets.UTF_8)));
    }

    /**
     * The one certificate that has this fingerprint, whatever name it is for and whoever signed it.
     *
     * @param sha256 in hexadecimal, with or without colons
     */
    public static TrustManager pinned(String sha256) {
        String wanted = sha256.replace(":", "").toLowerCase(Locale.ROOT);
        return new Judge() {
            @Override
            void judge(X509Certificate[] chain) throws CertificateException {
                String found = fingerprint(chain[0]);
                if (!found.equals(wanted)) {
                    throw new CertificateException(
                            "the server's certificate has the fingerprint " + found + " (expected: " + wanted + ")");
                }
            }
        };
    }

    /** No check at all: whoever is on the way may listen. */
    public static TrustManager anybody() {
        return new Judge() {
            @Override
            void judge(X509Certificate[] chain) {
                // as asked for
            }
        };
    }

    /** SHA-256 of a certificate, in lower-case hexadecimal. */
    public static String fingerprint(Certificate certificate) throws CertificateException {
        try {
            return HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(certificate.getEncoded()));
        } catch (GeneralSecurityException e) {
            throw new CertificateException("a certificate without an encoding", e);
        }
    }

    /** Extended, because the JVM would check the name itself for any other. */
    private abstract static class Judge extends X509ExtendedTrustManager {
        abstract void judge(X509Certificate[] chain) throws CertificateException;

        @Override
        public void checkServerTrusted(X509Certificate[] chain, String type) throws CertificateException {
            judge(chain);
        }

        @Override
        public void checkServerTrusted(X509Certificate[] chain, String type, Socket socket)
                throws CertificateException {
            judge(chain);
        }

        @Override
        public void checkServerTrusted(X509Certificate[] chain, String type, SSLEngine engine)
                throws CertificateException {
            judge(chain);
        }

        @Override
        public void checkClientTrusted(X509Certificate[] chain, String type) throws CertificateException {
            throw new CertificateException("we are no server");
        }

        @Override
        public void checkClientTrusted(X509Certificate[] chain, String type, Socket socket)
                throws CertificateException {
            throw new CertificateException("we are no server");
        }

        @Override
        public void checkClientTrusted(X509Certificate[] chain, String type, SSLEngine engine)
                throws CertificateException {
            throw new CertificateException("we are no server");
        }

        @Override
        public X509Certificate[] getAcceptedIssuers() {
            return new X509Certificate[0];
        }
    }
}
