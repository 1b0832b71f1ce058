package io.elder.fetch.googleworkspace;

import com.fasterxml.jackson.databind.node.ObjectNode;
import com.google.api.client.http.HttpResponseException;
import com.google.auth.Retryable;
import com.google.auth.oauth2.GoogleCredentials;
import com.google.auth.oauth2.ServiceAccountCredentials;
import io.elder.fetch.Page;
import io.elder.fetch.ReadFailure;
import io.elder.fetch.Requests;
import io.elder.fetch.StopReason;
import io.elder.fetch.http.HttpFailure;
import io.elder.fetch.http.JsonApi;
import java.io.IOException;
import java.net.URI;
import java.net.URLEncoder;
import java.net.http.HttpClient;
import java.nio.charset.StandardCharsets;
import java.util.EnumMap;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.locks.ReentrantLock;

/** The Directory API, in an administrator's name. May be used by many threads. */
final class GoogleWorkspaceClient implements AutoCloseable {
    private static final URI HOST = URI.create("https://admin.googleapis.com");
    private static final String DIRECTORY = "/admin/directory/v1";

    /** How the {@code kind} of every answer begins. */
    private static final String KIND = "admin#directory#";

    private final GoogleWorkspaceSettings settings;
    private final ServiceAccountCredentials account;
    private final HttpClient http;
    private final Map<Area, JsonApi> apis = new EnumMap<>(Area.class);
    private final ReentrantLock looking = new ReentrantLock();
    private final Map<String, String> orgUnits = new HashMap<>();
    private final Set<String> unknownPaths = new HashSet<>();
    private Own own;
    private String customerId;

    GoogleWorkspaceClient(GoogleWorkspaceSettings settings, ServiceAccountCredentials account) {
        this.settings = settings;
        this.account = account;
        URI base = settings.endpoint().orElse(HOST);
        this.http = JsonApi.client(base).build();
        for (Area area : Area.values()) {
            // Whoever runs a provider decides what is tried again.
            GoogleCredentials credentials = account.createWithCustomRetryStrategy(false)
                    .createScoped(area.scope())
                    .createDelegated(settings.admin());
            apis.put(area, new JsonApi(base, http, () -> headers(area, credentials, base), settings.timeout()));
        }
    }

    /** Ids of the customer's users and groups. */
    record Own(Set<String> users, Set<String> groups) {}

    /** Asks for the administrator, which proves the credentials and tells whose administrator it is. */
    void open() throws IOException, InterruptedException {
        String administrates = administrator().path("customerId").asText("");
        customerId =
                settings.customer().equals(GoogleWorkspaceSettings.MY_CUSTOMER) ? administrates : settings.customer();
        if (customerId.isEmpty()) {
            throw ReadFailure.stop(
                    StopReason.INCOMPLETE,
                    settings.admin()
                            + ": the API does not tell the customer (expected: customerId of an administrator)");
        }
    }

    /** Never {@code my_customer}: what rows are called must not depend on how the customer was named. */
    String customerId() {
        return customerId;
    }

    GoogleWorkspaceSettings settings() {
        return settings;
    }

    String accountEmail() {
        return account.getClientEmail();
    }

    ObjectNode administrator() throws IOException, InterruptedException {
        return get(Area.USERS, "/users/" + settings.admin());
    }

    /** @param path below the directory's own */
    ObjectNode get(Area area, String path) throws IOException, InterruptedException {
        try {
            return apis.get(area).get(DIRECTORY + path);
        } catch (HttpFailure e) {
            if (e.status() == 403 && !Reasons.isThrottling(e)) {
                throw ReadFailure.stop(StopReason.FORBIDDEN, refused(area, Reasons.of(e)) + ": " + e.getMessage(), e);
            }
            throw e;
        }
    }

    /** A page of a list; {@code null} begins. */
    Page<ObjectNode> page(Area area, String path, String items, int largest, String cursor)
            throws IOException, InterruptedException {
        StringBuilder query = new StringBuilder(path)
                .append(path.contains("?") ? '&' : '?')
                .append("maxResults=")
                .append(Math.min(largest, settings.pageSize()));
        if (cursor != null) {
            query.append("&pageToken=").append(URLEncoder.encode(cursor, StandardCharsets.UTF_8));
        }
        ObjectNode page = get(area, query.toString());
        return new Page<>(objects(path, page, items), page.path("nextPageToken").asText(""));
    }

    /** Organizational units have no pages. */
    Page<ObjectNode> orgUnits() throws IOException, InterruptedException {
        String path = "/customer/" + settings.customer() + "/orgunits";
        return Page.last(objects(path, get(Area.ORG_UNITS, path + "?type=all"), "organizationUnits"));
    }

    /** An empty list is left out of an answer, which then still says what it is: anything else is not a list. */
    private static List<ObjectNode> objects(String path, ObjectNode page, String items) throws HttpFailure {
        boolean isEmpty = !page.has(items) && page.path("kind").asText("").startsWith(KIND);
        return isEmpty ? List.of() : JsonApi.objects("GET " + DIRECTORY + path + ": " + items, page.path(items));
    }

    /**
     * The id of an organizational unit, whose path is all that users know of it; empty for the topmost. They are read once,
     * and again for each path that was not there then.
     */
    Optional<String> findOrgUnitId(String path, Requests requests) throws Exception {
        if (path.equals("/")) {
            return Optional.empty();
        }
        looking.lockInterruptibly();
        try {
            if (!orgUnits.containsKey(path) && unknownPaths.add(path)) {
                requests.pages(
                        cursor -> orgUnits(),
                        unit -> orgUnits.put(
                                unit.path("orgUnitPath").asText(),
                                unit.path("orgUnitId").asText()));
            }
            return Optional.ofNullable(orgUnits.get(path));
        } finally {
            looking.unlock();
        }
    }

    /** Read once: members of groups may be anybody's users and groups. */
    Own own(Requests requests) throws Exception {
        looking.lockInterruptibly();
        try {
            if (own == null) {
                own = new Own(ids(Area.USERS, "users", 500, requests), ids(Area.GROUPS, "groups", 200, requests));
            }
            return own;
        } catch (HttpFailure e) {
            if (e.status() == 404) {
                // Not to be taken for a group that is gone.
                throw ReadFailure.stop(
                        StopReason.INCOMPLETE, "whose the members of groups are can't be told: " + e.getMessage());
            }
            throw e;
        } finally {
            looking.unlock();
        }
    }

    private Set<String> ids(Area area, String items, int largest, Requests requests) throws Exception {
        Set<String> ids = new HashSet<>();
        String path = "/" + items + "?customer=" + settings.customer() + "&fields=kind,nextPageToken," + items + "/id";
        requests.pages(
                cursor -> page(area, path, items, largest, cursor),
                item -> ids.add(item.path("id").asText()));
        return ids;
    }

    /** The library keeps a token for as long as it lives, and gets the next one a few minutes before. */
    private Map<String, String> headers(Area area, GoogleCredentials credentials, URI base) throws IOException {
        Map<String, List<String>> all;
        try {
            all = credentials.getRequestMetadata(base);
        } catch (IOException e) {
            throw new NoTokenException(e, area, settings.admin(), account.getClientId());
        }
        Map<String, String> headers = new LinkedHashMap<>();
        all.forEach((name, values) -> headers.put(name, String.join(",", values)));
        return headers;
    }

    @Override
    public void close() {
        http.close();
    }

    /** Nobody made a token for the credentials. */
    static final class NoTokenException extends IOException {
        private static final long serialVersionUID = 1L;

        private static final int MOST_SAID = 300;
        private static final String ENDPOINT = "the token endpoint answers ";

        private final boolean passes;
        private final boolean isDelegationMissing;

        NoTokenException(IOException cause, Area area, String admin, String clientId) {
            super(message(said(cause), area, admin, clientId), cause);
            this.passes = passes(cause);
            this.isDelegationMissing = isDelegationMissing(said(cause));
        }

        /** Whether it is worth another try: the server was busy or away, rather than unwilling. */
        boolean passes() {
            return passes;
        }

        /** Whether the key is good, and only a right is missing. */
        boolean isDelegationMissing() {
            return isDelegationMissing;
        }

        private static String message(String said, Area area, String admin, String clientId) {
            String hint = "";
            if (isDelegationMissing(said)) {
                hint = "domain-wide delegation does not give client " + clientId + " the scope " + area.scope()
                        + " (Admin console: Security > API controls > Domain-wide delegation): ";
            } else if (said.contains("Invalid email") || said.contains("invalid_subject")) {
                hint = "GOOGLE_WORKSPACE_ADMIN_EMAIL " + admin + " is nobody in the domain: ";
            }
            return "no access token: " + hint + said;
        }

        /** Google's {@code unauthorized_client}, the one refusal with 401; the JDK's client keeps the body of a 401 to itself. */
        private static boolean isDelegationMissing(String said) {
            return said.startsWith(ENDPOINT + 401);
        }

        private static boolean passes(IOException failure) {
            for (Throwable each = failure; each != null; each = each.getCause()) {
                if (each instanceof HttpResponseException answer) {
                    return answer.getStatusCode() / 100 == 5 || answer.getStatusCode() == 429;
                }
            }
            return !(failure instanceof Retryable retryable) || retryable.isRetryable();
        }

        private static String said(IOException failure) {
            for (Throwable each = failure; each != null; each = each.getCause()) {
                if (each instanceof HttpResponseException answer) {
                    String content = answer.getContent() == null ? "" : ": " + answer.getContent();
                    return oneLine(ENDPOINT + answer.getStatusCode() + content);
                }
            }
            return oneLine(String.valueOf(failure.getMessage()));
        }

        private static String oneLine(String text) {
            String line = text.strip().replaceAll("\\s+", " ");
            return line.length() > MOST_SAID ? line.substring(0, MOST_SAID) + "..." : line;
        }
    }

    private String refused(Area area, Set<String> reasons) {
        if (reasons.contains("accessNotConfigured") || reasons.contains("SERVICE_DISABLED")) {
            return "the Admin SDK API is not enabled in the service account's project";
        }
        if (reasons.contains("insufficientPermissions") || reasons.contains("ACCESS_TOKEN_SCOPE_INSUFFICIENT")) {
            return "the token lacks the scope " + area.scope();
        }
        return settings.admin() + " lacks the administrator's privilege " + area.privilege();
    }
}
