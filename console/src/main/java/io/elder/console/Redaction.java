package io.elder.console;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.fasterxml.jackson.databind.node.TextNode;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.Pattern;

/**
 * Hides secrets in a job's configuration, and puts them back when what was shown is sent back. What is a secret is told
 * by the name of its key, at every depth; a key that names a secret hides all that lies below it.
 */
final class Redaction {
    static final String MARK = "***REDACTED***";

    private static final JsonNodeFactory NODES = JsonNodeFactory.instance;
    private static final TextNode MARKED = NODES.textNode(MARK);

    /** Parts of a key's name, lower case and without separators. */
    private static final List<String> SECRET_PARTS = List.of(
            "password",
            "passwd",
            "passphrase",
            "pwd",
            "secret",
            "token",
            "credential",
            "apikey",
            "accesskey",
            "privatekey",
            "kubeconfig",
            "authorization",
            "bearer",
            "cookie",
            "connectionstring",
            "clientkey",
            "keydata",
            "keypem");

    /** Whole names, lower case and without separators. */
    private static final Set<String> SECRET_NAMES = Set.of("key", "auth", "pass", "pin", "pem", "sas", "pat", "otp");

    private static final Pattern PEM_KEY = Pattern.compile("-----BEGIN [A-Z ]*PRIVATE KEY-----");
    private static final Pattern URL_WITH_PASSWORD =
            Pattern.compile("(?i)\\b([a-z][a-z0-9+.-]*://[^/\\s:@]*):[^/\\s@]+@");

    private Redaction() {}

    static JsonNode redact(JsonNode node) {
        return switch (node) {
            case ObjectNode object -> redactObject(object);
            case ArrayNode array -> {
                ArrayNode redacted = NODES.arrayNode(array.size());
                array.forEach(element -> redacted.add(redact(element)));
                yield redacted;
            }
            case TextNode text -> redactText(text);
            default -> node;
        };
    }

    /**
     * What to store when {@code sent} replaces {@code stored}: wherever {@code sent} shows the mark, the stored secret.
     *
     * @throws BadInput where the mark stands for nothing that is stored
     */
    static JsonNode restore(JsonNode sent, JsonNode stored) {
        return restore(sent, stored, "config");
    }

    /** Refuses a configuration that shows the mark where a secret is expected. */
    static void refuseMarks(JsonNode sent) {
        restore(sent, NODES.missingNode());
    }

    /** A message about a connection, without any secret of its configuration. */
    static String scrub(String message, JsonNode configuration) {
        Set<String> secrets = new TreeSet<>((a, b) -> {
            int longerFirst = Integer.compare(b.length(), a.length());
            return longerFirst != 0 ? longerFirst : a.compareTo(b);
        });
        collect(configuration, redact(configuration), secrets);
        String scrubbed = message;
        for (String secret : secrets) {
            scrubbed = scrubbed.replace(secret, MARK);
        }
        return URL_WITH_PASSWORD.matcher(scrubbed).replaceAll("$1:" + MARK + "@");
    }

    static boolean namesSecret(String key) {
        String name = key.toLowerCase(Locale.ROOT).replaceAll("[^a-z0-9]", "");
        return SECRET_NAMES.contains(name)
                || name.endsWith("key")
                || SECRET_PARTS.stream().anyMatch(name::contains);
    }

    private static ObjectNode redactObject(ObjectNode object) {
        ObjectNode redacted = NODES.objectNode();
        // Headers and the like: {"name": "Authorization", "value": "..."}.
        JsonNode named = object.path("name").isTextual() ? object.path("name") : object.path("key");
        boolean valueIsSecret = object.has("value") && named.isTextual() && namesSecret(named.textValue());
        object.properties().forEach(field -> {
            String key = field.getKey();
            JsonNode value = field.getValue();
            boolean isName = valueIsSecret && value.equals(named);
            boolean secret = (valueIsSecret && key.equals("value")) || (namesSecret(key) && !isName);
            redacted.set(key, secret && !isHarmless(key, value) ? MARKED : redact(value));
        });
        return redacted;
    }

    private static boolean isHarmless(String key, JsonNode value) {
        if (value.isNull() || value.isBoolean()) {
            return true;
        }
        if (!value.isTextual()) {
            return false;
        }
        String text = value.textValue();
        String name = key.toLowerCase(Locale.ROOT);
        boolean path = (name.endsWith("path") || name.endsWith("file")) && text.matches("[/.~][^\\n]*");
        return text.isEmpty() || text.startsWith("secret://") || path;
    }

    private static TextNode redactText(TextNode text) {
        if (PEM_KEY.matcher(text.textValue()).find()) {
            return MARKED;
        }
        String shown = URL_WITH_PASSWORD.matcher(text.textValue()).replaceAll("$1:" + MARK + "@");
        return shown.equals(text.textValue()) ? text : NODES.textNode(shown);
    }

    private static JsonNode restore(JsonNode sent, JsonNode stored, String path) {
        if (!showsMark(sent)) {
            return sent;
        }
        if (sent instanceof ObjectNode object) {
            // As a whole first: the value of a {name, value} pair is only known to be a secret from its sibling.
            if (stored.isObject() && redact(stored).equals(sent)) {
                return stored;
            }
            ObjectNode shownObject = stored instanceof ObjectNode storedObject ? redactObject(storedObject) : null;
            ObjectNode restored = NODES.objectNode();
            object.properties().forEach(field -> {
                String key = field.getKey();
                JsonNode before = stored.path(key);
                boolean unchanged = shownObject != null && field.getValue().equals(shownObject.get(key));
                restored.set(key, unchanged ? before : restore(field.getValue(), before, path + "." + key));
            });
            return restored;
        }
        if (sent instanceof ArrayNode array) {
            return restoreArray(array, stored, path);
        }
        if (!stored.isMissingNode() && redact(stored).equals(sent)) {
            return stored;
        }
        throw new BadInput(path + ": " + MARK + " (expected: the value itself; there is no stored one to keep)");
    }

    /**
     * An element that is as it was shown keeps its secrets wherever it now stands. An edited one keeps those of its place,
     * but only where no element was added or removed: a password must never move to another server.
     */
    private static ArrayNode restoreArray(ArrayNode sent, JsonNode stored, String path) {
        JsonNode[] restored = new JsonNode[sent.size()];
        boolean[] taken = new boolean[stored.size()];
        for (int pass = 0; pass < 2; pass++) {
            for (int i = 0; i < sent.size(); i++) {
                for (int j = 0; j < stored.size() && restored[i] == null; j++) {
                    boolean candidate = !taken[j] && (pass == 1 || i == j);
                    if (candidate && redact(stored.get(j)).equals(sent.get(i))) {
                        restored[i] = stored.get(j);
                        taken[j] = true;
                    }
                }
            }
        }
        ArrayNode result = NODES.arrayNode(sent.size());
        for (int i = 0; i < sent.size(); i++) {
            if (restored[i] == null) {
                boolean sameplace = sent.size() == stored.size() && !taken[i];
                JsonNode before = sameplace ? stored.get(i) : NODES.missingNode();
                restored[i] = restore(sent.get(i), before, path + "[" + i + "]");
            }
            result.add(restored[i]);
        }
        return result;
    }

    private static boolean showsMark(JsonNode node) {
        if (node.isTextual()) {
            return node.textValue().contains(MARK);
        }
        for (JsonNode child : node) {
            if (showsMark(child)) {
                return true;
            }
        }
        return false;
    }

    private static void collect(JsonNode plain, JsonNode shown, Set<String> secrets) {
        if (plain.isContainerNode() && shown.isContainerNode()) {
            plain.properties().forEach(field -> collect(field.getValue(), shown.path(field.getKey()), secrets));
            for (int i = 0; plain.isArray() && i < plain.size(); i++) {
                collect(plain.get(i), shown.path(i), secrets);
            }
        } else if (plain.isContainerNode()) {
            plain.forEach(child -> collect(child, MARKED, secrets));
        } else if (!plain.equals(shown) && plain.asText().length() >= 4) {
            secrets.add(plain.asText());
        }
    }
}
