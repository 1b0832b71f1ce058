package io.elder.fetch.aws;

import io.elder.runtime.Secret;
import io.elder.runtime.Settings;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.Pattern;

/**
 * Who asks, and what is read.
 *
 * @param home the region that is asked about accounts, roles and regions
 * @param regions to read; empty for all that an account has enabled
 * @param services to read; empty for all
 * @param keys static credentials: id, secret and, if they are temporary, a token
 * @param webIdentity a file with a token that the first of the roles trusts
 * @param roles assumed one after the other, each with the credentials of the one before
 * @param memberRole the role's name in every account of the organization
 * @param parallelAccounts how many accounts a process reads at once
 * @param pageSize items per page where the API allows it; empty for as many as it allows
 * @param batchSize objects per request about many
 */
record AwsSettings(
        String home,
        List<String> regions,
        Set<String> services,
        Optional<Keys> keys,
        Optional<String> profile,
        Optional<Path> webIdentity,
        List<String> roles,
        Optional<String> externalId,
        String sessionName,
        boolean isOrganization,
        String memberRole,
        int parallelAccounts,
        Optional<Integer> pageSize,
        int batchSize,
        Optional<URI> endpoint,
        Duration timeout) {

    private static final Pattern REGION = Pattern.compile("[a-z]{2,4}(-[a-z]+)+-\\d{1,2}");
    private static final Pattern ROLE_ARN = Pattern.compile("arn:aws[a-z-]*:iam::\\d{12}:role/.+");
    private static final Pattern ROLE_NAME = Pattern.compile("[\\w+=,.@/-]{1,576}");
    private static final Pattern SESSION_NAME = Pattern.compile("[\\w+=,.@-]{2,64}");

    record Keys(String id, Secret secret, Optional<Secret> token) {}

    static AwsSettings from(Settings settings, Set<String> knownServices) {
        List<String> regions = regions(settings);
        Set<String> services = new TreeSet<>();
        for (String service : settings.list("AWS_SERVICES", "")) {
            String name = service.toLowerCase(Locale.ROOT);
            if (!knownServices.contains(name)) {
                settings.problem("AWS_SERVICES", service, String.join(", ", new TreeSet<>(knownServices)));
            }
            services.add(name);
        }
        Optional<Keys> keys = keys(settings);
        Optional<Path> webIdentity = keys.isPresent()
                ? Optional.empty()
                : settings.find("AWS_WEB_IDENTITY_TOKEN_FILE").map(Path::of);
        webIdentity
                .filter(file -> !Files.isReadable(file))
                .ifPresent(file ->
                        settings.problem("AWS_WEB_IDENTITY_TOKEN_FILE", file.toString(), "a file that can be read"));
        Set<String> roles = new LinkedHashSet<>();
        // The role that EKS sets belongs to the token that it mounts: a job's own keys have nothing to do with either.
        boolean isOfToken =
                keys.isPresent() && settings.find("AWS_WEB_IDENTITY_TOKEN_FILE").isPresent();
        for (String name :
                isOfToken ? List.of("AWS_ASSUME_ROLE_ARN") : List.of("AWS_ROLE_ARN", "AWS_ASSUME_ROLE_ARN")) {
            settings.find(name).ifPresent(role -> {
                if (!ROLE_ARN.matcher(role).matches()) {
                    settings.problem(name, role, "an ARN such as arn:aws:iam::123456789012:role/ElderDiscovery");
                }
                roles.add(role);
            });
        }
        if (webIdentity.isPresent() && roles.isEmpty()) {
            settings.problem("AWS_ROLE_ARN", "not set", "the role that AWS_WEB_IDENTITY_TOKEN_FILE is for");
        }
        String memberRole = settings.text("AWS_CROSS_ACCOUNT_ROLE", "ElderDiscoveryRole")
                .replaceFirst("^arn:aws[a-z-]*:iam::[^:]*:role/", "");
        if (!ROLE_NAME.matcher(memberRole).matches()) {
            settings.problem("AWS_CROSS_ACCOUNT_ROLE", memberRole, "the name of a role in every account");
        }
        String sessionName = settings.text("AWS_ROLE_SESSION_NAME", "elder-discovery");
        if (!SESSION_NAME.matcher(sessionName).matches()) {
            settings.problem("AWS_ROLE_SESSION_NAME", sessionName, "2 to 64 letters, digits or any of +=,.@_-");
        }
        return new AwsSettings(
                region(settings, "AWS_DEFAULT_REGION", regions.isEmpty() ? "us-east-1" : regions.getFirst()),
                regions,
                services,
                keys,
                settings.find("AWS_PROFILE"),
                webIdentity,
                List.copyOf(roles),
                settings.find("AWS_EXTERNAL_ID"),
                sessionName,
                settings.yes("AWS_ORGANIZATION", settings.yes("AWS_ORGANIZATION_ENABLED", false)),
                memberRole,
                settings.whole("AWS_PARALLEL_ACCOUNTS", 5, 1, 1000),
                settings.find("AWS_PAGE_SIZE").map(unused -> settings.whole("AWS_PAGE_SIZE", 100, 1, 1000)),
                settings.whole("AWS_BATCH_SIZE", 100, 1, 1000),
                endpoint(settings),
                settings.duration("AWS_TIMEOUT", Duration.ofSeconds(60)));
    }

    boolean reads(String service) {
        return services.isEmpty() || services.contains(service);
    }

    /** {@code AWS_REGIONS}, or else the one of {@code AWS_REGION}, or else the documented two. */
    private static List<String> regions(Settings settings) {
        List<String> regions = settings.list(
                "AWS_REGIONS",
                settings.find("AWS_REGION")
                        .map(one -> region(settings, "AWS_REGION", one))
                        .orElse("us-east-1,us-west-2"));
        if (regions.size() == 1 && regions.getFirst().equalsIgnoreCase("all")) {
            return List.of();
        }
        for (String region : regions) {
            if (!REGION.matcher(region).matches()) {
                settings.problem("AWS_REGIONS", region, "all, or regions such as eu-west-1");
            }
        }
        return regions.stream().distinct().toList();
    }

    private static String region(Settings settings, String name, String otherwise) {
        String region = settings.text(name, otherwise);
        if (!REGION.matcher(region).matches()) {
            settings.problem(name, region, "a region such as eu-west-1");
        }
        return region;
    }

    private static Optional<Keys> keys(Settings settings) {
        Optional<String> id = settings.find("AWS_ACCESS_KEY_ID");
        Optional<Secret> secret = settings.findSecret("AWS_SECRET_ACCESS_KEY");
        if (id.isPresent() != secret.isPresent()) {
            settings.problem(
                    id.isPresent() ? "AWS_SECRET_ACCESS_KEY" : "AWS_ACCESS_KEY_ID",
                    "not set",
                    "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY together, or neither");
            return Optional.empty();
        }
        // Keys for good have no token: one that is there is of others, such as the environment's beside a job's own
        // keys.
        return id.map(each -> new Keys(
                each,
                secret.orElseThrow(),
                each.startsWith("AKIA") ? Optional.empty() : settings.findSecret("AWS_SESSION_TOKEN")));
    }

    private static Optional<URI> endpoint(Settings settings) {
        Optional<String> text = settings.find("AWS_ENDPOINT_URL");
        try {
            Optional<URI> endpoint = text.map(URI::create);
            if (endpoint.isEmpty() || endpoint.get().getHost() != null) {
                return endpoint;
            }
        } catch (IllegalArgumentException unused) {
            // said below, like a URL without a host
        }
        settings.problem("AWS_ENDPOINT_URL", text.orElse(""), "a URL such as https://vpce.example.com");
        return Optional.empty();
    }
}
