package io.elder.fetch.azure;

import io.elder.runtime.Secret;
import io.elder.runtime.Settings;
import io.elder.runtime.WebAddress;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.regex.Pattern;

/**
 * Who asks which cloud about which subscriptions.
 *
 * @param endpoint where the Resource Manager answers
 * @param scope what a token is asked for
 * @param authority where tokens are given out, if it is not the cloud's own
 * @param platform what the platform that we run on says of the identity that it gives us
 * @param subscriptions lower-cased; empty for all that the credentials may read
 */
record AzureSettings(
        URI endpoint,
        String scope,
        String cloudAuthority,
        Optional<String> authority,
        Optional<String> tenantId,
        Optional<String> clientId,
        Optional<Secret> clientSecret,
        Optional<Path> certificate,
        Optional<Secret> certificatePassword,
        Optional<Path> federatedToken,
        boolean managedIdentity,
        Map<String, String> platform,
        List<String> subscriptions,
        Duration timeout) {

    private static final Pattern UUID = Pattern.compile("\\p{XDigit}{8}(-\\p{XDigit}{4}){3}-\\p{XDigit}{12}");

    /** Microsoft's clouds: https://learn.microsoft.com/azure/azure-government/compare-azure-government-global-azure */
    private enum Cloud {
        PUBLIC("https://management.azure.com", "https://login.microsoftonline.com/"),
        USGOVERNMENT("https://management.usgovcloudapi.net", "https://login.microsoftonline.us/"),
        CHINA("https://management.chinacloudapi.cn", "https://login.chinacloudapi.cn/");

        private final String endpoint;
        private final String authority;

        Cloud(String endpoint, String authority) {
            this.endpoint = endpoint;
            this.authority = authority;
        }
    }

    static AzureSettings from(Settings settings) {
        Cloud cloud = settings.oneOf("AZURE_CLOUD", Cloud.class, Cloud.PUBLIC);
        // The other spellings are those of the files that "az ad sp create-for-rbac" writes, with --json-auth and
        // without.
        Optional<String> tenantId = settings.findAny("AZURE_TENANT_ID", "AZURE_TENANTID", "AZURE_TENANT");
        Optional<String> clientId = settings.findAny("AZURE_CLIENT_ID", "AZURE_CLIENTID", "AZURE_APPID");
        Optional<Secret> clientSecret = settings.findSecret("AZURE_CLIENT_SECRET")
                .or(() -> settings.findSecret("AZURE_CLIENTSECRET"))
                .or(() -> settings.find("AZURE_APPID").flatMap(unused -> settings.findSecret("AZURE_PASSWORD")));
        Optional<Path> certificate =
                settings.find("AZURE_CLIENT_CERTIFICATE_PATH").map(Path::of);
        certificate
                .filter(file -> !Files.isReadable(file))
                .ifPresent(file ->
                        settings.problem("AZURE_CLIENT_CERTIFICATE_PATH", file.toString(), "a file that can be read"));
        if (clientSecret.isPresent() || certificate.isPresent()) {
            String why = clientSecret.isPresent() ? "AZURE_CLIENT_SECRET" : "AZURE_CLIENT_CERTIFICATE_PATH";
            if (tenantId.isEmpty()) {
                settings.problem("AZURE_TENANT_ID", "not set", "a tenant, because " + why + " is set");
            }
            if (clientId.isEmpty()) {
                settings.problem("AZURE_CLIENT_ID", "not set", "an application, because " + why + " is set");
            }
        }
        return new AzureSettings(
                https(settings, "AZURE_ENDPOINT_URL", cloud.endpoint),
                cloud.endpoint + "/.default",
                cloud.authority,
                settings.find("AZURE_AUTHORITY_HOST").map(host -> https(
                                settings, "AZURE_AUTHORITY_HOST", host.contains("://") ? host : "https://" + host)
                        .toString()),
                tenantId,
                clientId,
                clientSecret,
                certificate,
                settings.findSecret("AZURE_CLIENT_CERTIFICATE_PASSWORD"),
                settings.find("AZURE_FEDERATED_TOKEN_FILE").map(Path::of),
                settings.yes("AZURE_USE_MANAGED_IDENTITY", false),
                platform(settings),
                subscriptions(settings),
                settings.duration("AZURE_TIMEOUT", Duration.ofSeconds(60)));
    }

    private static List<String> subscriptions(Settings settings) {
        String one = settings.findAny("AZURE_SUBSCRIPTION_ID", "AZURE_SUBSCRIPTIONID")
                .orElse("");
        List<String> ids = settings.list("AZURE_SUBSCRIPTION_IDS", one).stream()
                .map(id -> id.toLowerCase(Locale.ROOT))
                .distinct()
                .toList();
        if (ids.equals(List.of("all"))) {
            return List.of();
        }
        for (String id : ids) {
            // It becomes a part of paths.
            if (!UUID.matcher(id).matches()) {
                settings.problem("AZURE_SUBSCRIPTION_IDS", id, "ids like 12345678-1234-1234-1234-123456789012, or all");
            }
        }
        return ids;
    }

    /** A token must not be seen on the way, except on the way to ourselves. */
    private static URI https(Settings settings, String name, String otherwise) {
        String text = settings.text(name, otherwise);
        return WebAddress.secure(text).orElseGet(() -> {
            settings.problem(name, text, "an https URL");
            return URI.create(Cloud.PUBLIC.endpoint);
        });
    }

    /** Of App Service, Functions, Arc and their kin; the rest of the environment is none of the library's business. */
    private static Map<String, String> platform(Settings settings) {
        Map<String, String> platform = new TreeMap<>();
        settings.values().forEach((name, value) -> {
            if (name.startsWith("IDENTITY_") || name.startsWith("MSI_") || name.startsWith("IMDS_")) {
                platform.put(name, value);
            }
        });
        return platform;
    }

    /** Where tokens are given out. */
    String tokenHost() {
        return authority.orElse(cloudAuthority);
    }

    @Override
    public String toString() {
        return endpoint + " as " + clientId.orElse("whoever we are here");
    }
}
