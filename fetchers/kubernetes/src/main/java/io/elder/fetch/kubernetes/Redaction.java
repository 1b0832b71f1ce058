package io.elder.fetch.kubernetes;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.fasterxml.jackson.databind.node.TextNode;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Takes out of an object what may be secret, before it is a record: names stay, values go. Wherever they stand, because
 * templates of pods are nested in a dozen kinds.
 */
final class Redaction {
    static final TextNode MASK = TextNode.valueOf("***");

    /** Maps whose values go: {@code kubectl apply} puts whole manifests into annotations, people put tokens there. */
    private static final Set<String> MAPS = Set.of("annotations", "volumeAttributes", "options");

    /** Lists of words in which passwords are passed to programs. */
    private static final Set<String> WORDS = Set.of("command", "args");

    /** Lists of names and values. */
    private static final Set<String> PAIRS = Set.of("env", "httpHeaders");

    /** The contents of secrets and of config maps. */
    private static final List<String> CONTENTS = List.of("data", "stringData", "binaryData");

    /** Fields that hold a secret as plain text, in whatever kind. */
    private static final Set<String> PLAIN =
            Set.of("password", "passphrase", "token", "secretkey", "accesskey", "privatekey", "clientsecret", "apikey");

    /** The name of an option that has a value. */
    private static final Pattern OPTION = Pattern.compile("([^=,]+)=");

    private Redaction() {}

    /** @param kind of the row that lists it: an object need not say its own */
    static void redact(ObjectNode object, String kind) {
        if (object.path("metadata") instanceof ObjectNode metadata) {
            // Who set which field when: as long as the object itself, and of no use here.
            metadata.remove("managedFields");
        }
        String own = object.path("kind").asText();
        if (List.of("k8s_secret", "k8s_config_map").contains(kind)
                || List.of("Secret", "ConfigMap").contains(own)) {
            CONTENTS.forEach(field -> maskValues(object.path(field)));
        }
        if (object.path("parameters") instanceof ObjectNode parameters) {
            parameters.properties().forEach(entry -> {
                if (soundsSecret(entry.getKey())) {
                    entry.setValue(MASK);
                }
            });
        }
        walk(object);
    }

    private static void walk(JsonNode node) {
        if (node instanceof ObjectNode object) {
            object.properties().forEach(entry -> {
                String field = entry.getKey();
                JsonNode value = entry.getValue();
                if (MAPS.contains(field)) {
                    maskValues(value);
                } else if (WORDS.contains(field)) {
                    maskWords(value);
                } else if (PAIRS.contains(field)) {
                    value.forEach(pair -> maskField(pair, "value"));
                } else if (field.equals("mountOptions")) {
                    maskOptions(value);
                } else if (field.equals("httpGet")) {
                    cutQuery(value);
                } else if (field.equals("terminated")) {
                    // The end of a container's log, where its terminationMessagePolicy says so.
                    maskField(value, "message");
                } else if (value.isTextual() && PLAIN.contains(field.toLowerCase(Locale.ROOT))) {
                    entry.setValue(MASK);
                    return;
                }
                walk(value);
            });
        } else {
            node.forEach(Redaction::walk);
        }
    }

    private static void maskValues(JsonNode map) {
        if (map instanceof ObjectNode object) {
            object.properties().forEach(entry -> entry.setValue(MASK));
        }
    }

    private static void maskWords(JsonNode words) {
        if (words instanceof ArrayNode array) {
            for (int i = 0; i < array.size(); i++) {
                array.set(i, MASK);
            }
        }
    }

    /** From the first secret on: one text may hold several options, and a password commas. */
    private static void maskOptions(JsonNode options) {
        if (options instanceof ArrayNode array) {
            for (int i = 0; i < array.size(); i++) {
                String text = array.get(i).asText();
                Matcher option = OPTION.matcher(text);
                while (option.find()) {
                    if (soundsSecret(option.group(1))) {
                        array.set(i, text.substring(0, option.end()) + MASK.textValue());
                        break;
                    }
                }
            }
        }
    }

    private static void cutQuery(JsonNode httpGet) {
        if (httpGet instanceof ObjectNode object && object.path("path").isTextual()) {
            object.put("path", object.get("path").textValue().replaceFirst("\\?.*", ""));
        }
    }

    private static void maskField(JsonNode holder, String field) {
        if (holder instanceof ObjectNode object && object.has(field)) {
            object.set(field, MASK);
        }
    }

    private static boolean soundsSecret(String name) {
        String lower = name.toLowerCase(Locale.ROOT);
        return List.of("key", "secret", "pass", "token").stream().anyMatch(lower::contains);
    }
}
