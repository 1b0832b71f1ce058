package io.elder.fetch;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/** Where {@code secret://name} and credential files are: mounted in one directory, or else a Secret of the cluster. */
final class SecretStore {
    static final String SCHEME = "secret://";
    private static final Pattern NAME = Pattern.compile("[A-Za-z0-9][A-Za-z0-9._-]*(?:/[A-Za-z0-9][A-Za-z0-9._-]*)?");

    private final Path mounted;
    private final Optional<KubernetesSecrets> cluster;

    /** @param cluster empty outside of Kubernetes */
    SecretStore(Path mounted, Optional<KubernetesSecrets> cluster) {
        this.mounted = mounted;
        this.cluster = cluster;
    }

    /**
     * All fields of a secret that has several: mounted, a file for each; else as the cluster has it.
     *
     * @param whose for errors
     */
    Optional<Map<String, String>> fields(String whose, String secret) {
        Path file = file(whose, secret);
        if (Files.isDirectory(file)) {
            return Optional.of(directory(file, whose + ": " + SCHEME + secret));
        }
        boolean isElsewhere = Files.notExists(file) && !secret.contains("/") && cluster.isPresent();
        return isElsewhere ? cluster.get().find(secret) : Optional.empty();
    }

    /** One field of a secret, or a secret that is one text. */
    String text(String whose, String secret) {
        Path file = file(whose, secret);
        int slash = secret.indexOf('/');
        if (Files.notExists(file) && slash > 0 && cluster.isPresent()) {
            Optional<String> value = cluster.get()
                    .find(secret.substring(0, slash))
                    .map(fields -> fields.get(secret.substring(slash + 1)));
            if (value.isPresent()) {
                return withoutLineEnd(value.get());
            }
        }
        return withoutLineEnd(read(file, whose + ": " + SCHEME + secret));
    }

    /** A file that a job names. Any other than a mounted one might be somebody else's secret. */
    Path below(String whose, String field, String file) {
        Path root = mounted.toAbsolutePath().normalize();
        Path found = root.resolve(file).normalize();
        if (field.equals("KUBECONFIG_PATH") && found.equals(ThisPod.SERVICE_ACCOUNT)) {
            // The pod's own service account: what it may do is the site's to say.
            return found;
        }
        if (!found.startsWith(root) || found.equals(root)) {
            throw new BadConfigurationException(whose + ": " + field.toLowerCase(Locale.ROOT) + " " + file
                    + " (expected: a file below " + mounted + ")");
        }
        return found;
    }

    static String read(Path file, String what) {
        try {
            return Files.readString(file);
        } catch (IOException e) {
            throw new BadConfigurationException(what + ": " + file + " can't be read", e);
        }
    }

    private Path file(String whose, String secret) {
        if (!NAME.matcher(secret).matches()) {
            throw new BadConfigurationException(
                    whose + ": " + SCHEME + secret + " (expected: the name of a file in " + mounted + ")");
        }
        return mounted.resolve(secret);
    }

    /** A Kubernetes Secret as it is mounted: a file per field. */
    private static Map<String, String> directory(Path directory, String what) {
        Map<String, String> fields = new LinkedHashMap<>();
        try (Stream<Path> files = Files.list(directory)) {
            for (Path file : files.sorted().toList()) {
                String name = file.getFileName().toString();
                // Kubernetes keeps the versions of a mounted secret beside its fields, as "..data".
                if (!name.startsWith(".") && Files.isRegularFile(file)) {
                    fields.put(name, withoutLineEnd(read(file, what)));
                }
            }
        } catch (IOException e) {
            throw new BadConfigurationException(what + ": " + directory + " can't be read", e);
        }
        return fields;
    }

    private static String withoutLineEnd(String text) {
        return text.replaceFirst("\\R$", "");
    }
}
