package io.elder.fetch.lxd;

import io.elder.fetch.BadConfigurationException;
import io.elder.fetch.http.Tls;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.security.GeneralSecurityException;
import java.security.KeyFactory;
import java.security.KeyStore;
import java.security.PrivateKey;
import java.security.cert.Certificate;
import java.security.spec.InvalidKeySpecException;
import java.security.spec.PKCS8EncodedKeySpec;
import java.util.Base64;
import java.util.HexFormat;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import javax.net.ssl.KeyManager;
import javax.net.ssl.KeyManagerFactory;

/** A client certificate and its key, from PEM as lxc and openssl write it: PKCS#8, PKCS#1 or SEC 1. */
final class ClientKey {
    private static final Pattern KEY =
            Pattern.compile("-----BEGIN ((?:RSA |EC )?PRIVATE KEY)-----([^-]+)-----END \\1-----");

    /** {@code AlgorithmIdentifier} of rsaEncryption, RFC 8017 appendix A. */
    private static final byte[] RSA = HexFormat.of().parseHex("300d06092a864886f70d0101010500");

    /** The object identifier id-ecPublicKey, RFC 5480. */
    private static final byte[] EC = HexFormat.of().parseHex("06072a8648ce3d0201");

    private static final byte[] VERSION = {2, 1, 0};
    private static final int SEQUENCE = 0x30;
    private static final int OCTETS = 0x04;
    private static final int PARAMETERS = 0xa0;

    private ClientKey() {}

    static KeyManager manager(String certificatePem, String keyPem) {
        try {
            Certificate[] chain = Tls.certificates(certificatePem).toArray(Certificate[]::new);
            if (chain.length == 0) {
                throw new BadConfigurationException("LXD_CERT: no certificate (expected: PEM)");
            }
            KeyStore store = KeyStore.getInstance(KeyStore.getDefaultType());
            store.load(null, null);
            store.setKeyEntry("client", key(keyPem), new char[0], chain);
            KeyManagerFactory factory = KeyManagerFactory.getInstance(KeyManagerFactory.getDefaultAlgorithm());
            factory.init(store, new char[0]);
            return factory.getKeyManagers()[0];
        } catch (GeneralSecurityException | IOException e) {
            // Without the cause: it may quote what it could not read.
            throw new BadConfigurationException("LXD_CERT and LXD_KEY: "
                    + e.getClass().getSimpleName() + " (expected: a certificate in PEM, and its key)");
        }
    }

    /** The SHA-256 of the certificate, as LXD names clients. */
    static String fingerprint(String certificatePem) throws GeneralSecurityException {
        return Tls.fingerprint(Tls.certificates(certificatePem).iterator().next());
    }

    static PrivateKey key(String pem) throws GeneralSecurityException {
        Matcher matcher = KEY.matcher(pem);
        if (!matcher.find()) {
            throw new BadConfigurationException(
                    "LXD_KEY: no private key (expected: PEM, PKCS#8, PKCS#1 or SEC 1, not encrypted)");
        }
        byte[] der;
        try {
            der = Base64.getMimeDecoder().decode(matcher.group(2));
        } catch (IllegalArgumentException e) {
            throw new InvalidKeySpecException("no Base64", e);
        }
        PKCS8EncodedKeySpec spec = new PKCS8EncodedKeySpec(
                switch (matcher.group(1)) {
                    case "RSA PRIVATE KEY" -> tagged(SEQUENCE, VERSION, RSA, tagged(OCTETS, der));
                    case "EC PRIVATE KEY" ->
                        tagged(SEQUENCE, VERSION, tagged(SEQUENCE, EC, curve(der)), tagged(OCTETS, der));
                    default -> der;
                });
        for (String algorithm : List.of("RSA", "EC", "EdDSA")) {
            try {
                return KeyFactory.getInstance(algorithm).generatePrivate(spec);
            } catch (InvalidKeySpecException e) {
                // Then it is a key of another sort.
            }
        }
        throw new InvalidKeySpecException("no key of RSA, EC or EdDSA");
    }

    /** The curve's identifier, which SEC 1 keys carry within themselves. */
    private static byte[] curve(byte[] sec1) throws InvalidKeySpecException {
        ByteBuffer within = content(ByteBuffer.wrap(sec1), SEQUENCE);
        while (within.hasRemaining()) {
            int tag = within.get(within.position()) & 0xff;
            ByteBuffer content = content(within, tag);
            if (tag == PARAMETERS) {
                byte[] curve = new byte[content.remaining()];
                content.get(curve);
                return curve;
            }
        }
        throw new InvalidKeySpecException("an elliptic curve's key that does not name its curve");
    }

    private static ByteBuffer content(ByteBuffer der, int tag) throws InvalidKeySpecException {
        if (der.remaining() < 2 || (der.get() & 0xff) != tag) {
            throw new InvalidKeySpecException("not as DER is");
        }
        int length = der.get() & 0xff;
        if (length > 0x80) {
            int bytes = length - 0x80;
            length = 0;
            for (int i = 0; i < bytes && der.hasRemaining(); i++) {
                length = (length << 8) | (der.get() & 0xff);
            }
        }
        if (length < 0 || length > der.remaining()) {
            throw new InvalidKeySpecException("not as long as DER says");
        }
        ByteBuffer content = der.slice(der.position(), length);
        der.position(der.position() + length);
        return content;
    }

    private static byte[] tagged(int tag, byte[]... parts) {
        ByteArrayOutputStream content = new ByteArrayOutputStream();
        for (byte[] part : parts) {
            content.writeBytes(part);
        }
        int length = content.size();
        ByteArrayOutputStream der = new ByteArrayOutputStream();
        der.write(tag);
        if (length < 0x80) {
            der.write(length);
        } else if (length < 0x100) {
            der.write(0x81);
            der.write(length);
        } else {
            der.write(0x82);
            der.write(length >> 8);
            der.write(length);
        }
        der.writeBytes(content.toByteArray());
        return der.toByteArray();
    }
}
