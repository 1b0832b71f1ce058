package io.elder.fetch.iboss;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.elder.fetch.http.JsonApi;
import io.elder.runtime.Secret;
import java.io.IOException;
import java.net.HttpCookie;
import java.net.URI;
import java.net.URLEncoder;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Base64;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import java.util.regex.Pattern;

/**
 * Logs in as published integrations do: a password for a token, the token for cookies and the name of the gateway, the token
 * for a session there.
 *
 * @see <a href="https://github.com/demisto/content/blob/master/Packs/Iboss/Integrations/Iboss/Iboss.py">one of them</a>
 */
final class GatewayLogin {
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final Pattern HOST = Pattern.compile("[A-Za-z0-9.-]+(:\\d{1,5})?");

    private final IbossSettings.Auth.Gateway settings;
    private final HttpClient http;
    private final Duration timeout;

    GatewayLogin(IbossSettings.Auth.Gateway settings, HttpClient http, Duration timeout) {
        this.settings = settings;
        this.http = http;
        this.timeout = timeout;
    }

    /** @param cookie for every further request */
    record Session(URI gateway, Secret cookie) {}

    Session login() throws IOException, InterruptedException {
        String basic = Base64.getEncoder()
                .encodeToString((settings.user() + ":" + settings.password().value()).getBytes(StandardCharsets.UTF_8));
        String token = text(
                send(
                                settings.accounts(),
                                "/ibossauth/web/tokens?ignoreAuthModule=true",
                                Map.of("Authorization", "Basic " + basic),
                                Optional.empty())
                        .body(),
                "token",
                "the token endpoint");
        Answer mySettings = send(
                settings.cloud(),
                "/ibcloud/web/users/mySettings",
                Map.of("Authorization", "Token " + token),
                Optional.empty());
        String gateway = gateway(token, mySettings);
        URI base = URI.create(settings.cloud().getScheme() + "://" + gateway);
        String login = JSON.createObjectNode()
                .put("userName", token)
                .put("x", "")
                .put("ldapServer", "")
                .toString();
        JsonNode session =
                send(base, "/json/login", Map.of(), Optional.of(login)).body();
        return new Session(
                base,
                new Secret("XSRF-TOKEN=" + text(session, "uid", "the gateway") + "&"
                        + text(session, "sessionId", "the gateway")));
    }

    /** The primary member of the web gateway's cluster. */
    private String gateway(String token, Answer mySettings) throws IOException, InterruptedException {
        String account = settings.accountSettingsId()
                .orElseGet(() -> mySettings.body().path("accountSettingsId").asText(""));
        if (account.isEmpty()) {
            throw new LoginException(
                    0,
                    "the cloud does not tell accountSettingsId (expected: IBOSS_ACCOUNT_SETTINGS_ID, or the field in its"
                            + " answer)");
        }
        Map<String, String> headers = new LinkedHashMap<>();
        headers.put("Authorization", "Token " + token);
        headers.put(
                "Cookie",
                "JSESSIONID=" + mySettings.cookie("JSESSIONID") + "; XSRF-TOKEN=" + mySettings.cookie("XSRF-TOKEN"));
        headers.put("X-XSRF-TOKEN", mySettings.cookie("XSRF-TOKEN"));
        JsonNode clusters = send(
                        settings.cloud(),
                        "/ibcloud/web/account/clusters?accountSettingsId="
                                + URLEncoder.encode(account, StandardCharsets.UTF_8),
                        headers,
                        Optional.empty())
                .body();
        for (JsonNode cluster : clusters) {
            for (JsonNode member : cluster.path("members")) {
                String host = member.path("cloudNode").path("adminInterfaceDns").asText("");
                if (cluster.path("productFamily").asText().equals("swg")
                        && member.path("primary").asInt() == 1
                        && HOST.matcher(host).matches()) {
                    return host;
                }
            }
        }
        throw new LoginException(0, "account " + account + " has no cluster of family swg with a primary member");
    }

    private record Answer(JsonNode body, Map<String, String> cookies) {
        String cookie(String name) {
            return cookies.getOrDefault(name, "");
        }
    }

    private Answer send(URI base, String path, Map<String, String> headers, Optional<String> body)
            throws IOException, InterruptedException {
        String root = base.toString().replaceFirst("/$", "");
        HttpRequest.Builder request =
                HttpRequest.newBuilder(URI.create(root + path)).timeout(timeout).header("Accept", "application/json");
        headers.forEach(request::header);
        body.ifPresent(json ->
                request.header("Content-Type", "application/json").POST(HttpRequest.BodyPublishers.ofString(json)));
        HttpResponse<String> response = JsonApi.send(http, request.build(), HttpResponse.BodyHandlers.ofString());
        String what = (body.isPresent() ? "POST " : "GET ") + base.getHost() + path.replaceFirst("\\?.*", "");
        if (response.statusCode() != 200) {
            throw new LoginException(response.statusCode(), what + ": " + response.statusCode());
        }
        Map<String, String> cookies = new LinkedHashMap<>();
        for (String header : response.headers().allValues("Set-Cookie")) {
            HttpCookie.parse(header).forEach(cookie -> cookies.put(cookie.getName(), cookie.getValue()));
        }
        try {
            return new Answer(JSON.readTree(response.body()), cookies);
        } catch (JsonProcessingException e) {
            // Its message quotes the answer, which may hold a token.
            throw new LoginException(200, what + ": an answer that is no JSON");
        }
    }

    private static String text(JsonNode answer, String field, String who) throws LoginException {
        String text = answer.path(field).asText("");
        if (text.isEmpty()) {
            throw new LoginException(200, who + " answers without " + field);
        }
        return text;
    }

    /** Nobody let us in. */
    static final class LoginException extends IOException {
        private static final long serialVersionUID = 1L;

        private final int status;

        /** @param status of the answer; 0 where it is not the answer's fault */
        LoginException(int status, String message) {
            super("no session: " + message);
            this.status = status;
        }

        int status() {
            return status;
        }
    }
}
