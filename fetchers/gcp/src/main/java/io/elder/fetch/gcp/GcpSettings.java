package io.elder.fetch.gcp;

import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.elder.runtime.Secret;
import io.elder.runtime.Settings;
import java.net.URI;
import java.nio.file.Path;
import java.time.Duration;
import java.util.EnumSet;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.Set;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/**
 * Where to read in Google Cloud, and as whom.
 *
 * @param projects ids; where there are none, those below {@code parents}, or else the project of the credentials
 * @param parents folders and organizations, as the API names them: {@code folders/123}
 * @param services the APIs to read
 * @param inline credentials that are a value: the JSON of a key, or of what stands for one
 * @param file the same in a file of this machine
 * @param accessToken a token that somebody else keeps fresh
 * @param endpoint one server in place of all of Google's hosts
 * @param allowedHosts who may be asked for a token beside Google
 */
record GcpSettings(
        List<String> projects,
        List<String> parents,
        Set<Api> services,
        Optional<Secret> inline,
        Optional<Path> file,
        Optional<Secret> accessToken,
        Optional<URI> endpoint,
        List<String> allowedHosts,
        int pageSize,
        Duration timeout) {

    /** https://cloud.google.com/resource-manager/docs/creating-managing-projects; the old form has a domain before it. */
    private static final Pattern PROJECT = Pattern.compile("([a-z0-9.-]+:)?[a-z][a-z0-9-]{4,28}[a-z0-9]");

    private static final Pattern NUMBER = Pattern.compile("\\d{1,25}");

    static GcpSettings from(Settings settings) {
        List<String> projects = settings.list("GCP_PROJECT_IDS", "");
        List<String> parents = Stream.concat(
                        parents(settings, "GCP_FOLDER_ID", "folders/").stream(),
                        parents(settings, "GCP_ORGANIZATION_ID", "organizations/").stream())
                .toList();
        if (projects.isEmpty() && parents.isEmpty()) {
            projects = settings.list("GCP_PROJECT_ID", "");
        }
        for (String project : projects) {
            if (!PROJECT.matcher(project).matches()) {
                settings.problem(
                        "GCP_PROJECT_ID", project, "the id of a project such as my-project-123, not its number");
            }
        }
        return new GcpSettings(
                projects.stream().distinct().toList(),
                parents,
                services(settings),
                settings.findSecret("GCP_CREDENTIALS")
                        .or(() -> settings.findSecret("GCP_CREDENTIALS_JSON"))
                        .or(() -> key(settings)),
                settings.find("GCP_CREDENTIALS_PATH")
                        .or(() -> settings.find("GCP_CREDENTIALS_FILE"))
                        .map(Path::of),
                settings.findSecret("GCP_ACCESS_TOKEN"),
                settings.find("GCP_ENDPOINT_URL").flatMap(url -> url(settings, url)),
                settings.list("ENDPOINT_ALLOWLIST", "").stream()
                        .map(host -> host.toLowerCase(Locale.ROOT))
                        .toList(),
                settings.whole("GCP_PAGE_SIZE", 500, 1, 1000),
                settings.duration("GCP_TIMEOUT", Duration.ofSeconds(60)));
    }

    /** A key whose fields came one by one, as those of one of Elder's secrets do. */
    private static Optional<Secret> key(Settings settings) {
        return settings.findSecret("GCP_PRIVATE_KEY").map(privateKey -> {
            ObjectNode key = JsonNodeFactory.instance.objectNode();
            key.put("type", settings.text("GCP_TYPE", "service_account"));
            key.put("private_key", privateKey.value());
            key.put("private_key_id", settings.text("GCP_PRIVATE_KEY_ID", ""));
            key.put("client_email", settings.text("GCP_CLIENT_EMAIL"));
            key.put("client_id", settings.text("GCP_CLIENT_ID", ""));
            settings.find("GCP_TOKEN_URI").ifPresent(uri -> key.put("token_uri", uri));
            settings.find("GCP_PROJECT_ID").ifPresent(project -> key.put("project_id", project));
            return new Secret(key.toString());
        });
    }

    private static List<String> parents(Settings settings, String name, String prefix) {
        return settings.list(name, "").stream()
                .map(id -> id.startsWith(prefix) ? id.substring(prefix.length()) : id)
                .filter(id -> {
                    boolean fits = NUMBER.matcher(id).matches();
                    if (!fits) {
                        settings.problem(name, id, "a number, as gcloud prints it");
                    }
                    return fits;
                })
                .map(prefix::concat)
                .toList();
    }

    private static Set<Api> services(Settings settings) {
        Set<Api> services = EnumSet.noneOf(Api.class);
        for (String word : settings.list("GCP_SERVICES", "")) {
            Optional<Api> api = Stream.of(Api.values())
                    .filter(each -> each.isChoice() && each.word().equalsIgnoreCase(word))
                    .findFirst();
            if (api.isEmpty()) {
                settings.problem("GCP_SERVICES", word, "some of " + Api.choices());
            }
            api.ifPresent(services::add);
        }
        return services.isEmpty() ? EnumSet.allOf(Api.class) : services;
    }

    private static Optional<URI> url(Settings settings, String text) {
        try {
            URI url = URI.create(text);
            if (url.getHost() != null && ("https".equals(url.getScheme()) || "http".equals(url.getScheme()))) {
                return Optional.of(url);
            }
        } catch (IllegalArgumentException unused) {
            // noted below, like a URL without a host
        }
        settings.problem("GCP_ENDPOINT_URL", text, "an http or https URL");
        return Optional.empty();
    }
}
