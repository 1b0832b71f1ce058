package io.elder.console;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.elder.schemas.Topics;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/** What a caller wants a job to be; what is empty was not given. */
record JobDraft(
        Optional<String> name,
        Optional<String> provider,
        Optional<ObjectNode> config,
        Optional<Integer> organizationId,
        Optional<String> description,
        Optional<Integer> scheduleInterval,
        Optional<Boolean> enabled,
        Optional<String> credentialType,
        Optional<Integer> credentialId,
        Optional<ObjectNode> credentialMapping) {

    /** Elder's providers, and those of the connectors. The scanner's own are left to the scanner. */
    static final Set<String> PROVIDERS =
            Stream.concat(Topics.PROVIDERS.stream(), Stream.of("k8s_rbac")).collect(Collectors.toUnmodifiableSet());

    private static final Set<String> CREDENTIAL_TYPES = Set.of("secret", "key", "builtin_secret", "static", "none");

    /** Reads a job to create: it must have a name, a provider and a configuration. */
    static JobDraft toCreate(JsonNode body) {
        return read(body, true);
    }

    static JobDraft toChange(JsonNode body) {
        return read(body, false);
    }

    private static JobDraft read(JsonNode body, boolean whole) {
        if (!body.isObject()) {
            throw new BadInput("body: " + kindOf(body) + " (expected: a JSON object)");
        }
        List<String> problems = new ArrayList<>();
        Reader reader = new Reader(body, problems);
        Optional<ObjectNode> config = reader.object("config").or(() -> reader.object("config_json"));
        JobDraft draft = new JobDraft(
                reader.text("name", 255).filter(name -> {
                    if (name.isBlank()) {
                        problems.add("name: empty (expected: 1 to 255 characters)");
                    }
                    return true;
                }),
                reader.oneOf("provider", PROVIDERS),
                config,
                reader.whole("organization_id", 1),
                reader.text("description", 10_000),
                reader.whole("schedule_interval", 0),
                reader.yes("enabled"),
                reader.oneOf("credential_type", CREDENTIAL_TYPES),
                reader.whole("credential_id", 1),
                reader.object("credential_mapping"));
        if (whole) {
            draft.name().ifPresentOrElse(name -> {}, () -> reader.missing("name", "1 to 255 characters"));
            draft.provider().ifPresentOrElse(name -> {}, () -> reader.missing("provider", oneOf(PROVIDERS)));
            draft.config().ifPresentOrElse(name -> {}, () -> reader.missing("config", "a JSON object"));
        }
        if (!problems.isEmpty()) {
            throw new BadInput(String.join("; ", problems));
        }
        return draft;
    }

    private record Reader(JsonNode body, List<String> problems) {
        Optional<String> text(String name, int longest) {
            JsonNode value = body.path(name);
            if (isAbsent(value)) {
                return Optional.empty();
            }
            if (!value.isTextual()) {
                problems.add(name + ": " + shown(value) + " (expected: text)");
            } else if (value.textValue().length() > longest) {
                problems.add(
                        name + ": " + value.textValue().length() + " characters (expected: at most " + longest + ")");
            } else if (value.textValue().indexOf('\0') >= 0) {
                problems.add(name + ": has a NUL character (expected: text without)");
            } else {
                return Optional.of(value.textValue());
            }
            return Optional.empty();
        }

        Optional<String> oneOf(String name, Set<String> allowed) {
            Optional<String> value = text(name, 50);
            if (value.isPresent() && !allowed.contains(value.get())) {
                problems.add(name + ": " + value.get() + " (expected: " + JobDraft.oneOf(allowed) + ")");
            }
            return value;
        }

        Optional<Integer> whole(String name, int least) {
            JsonNode value = body.path(name);
            if (isAbsent(value)) {
                return Optional.empty();
            }
            if (value.isIntegralNumber() && value.canConvertToInt() && value.intValue() >= least) {
                return Optional.of(value.intValue());
            }
            problems.add(name + ": " + shown(value) + " (expected: a whole number, " + least + " to "
                    + Integer.MAX_VALUE + ")");
            return Optional.empty();
        }

        Optional<Boolean> yes(String name) {
            JsonNode value = body.path(name);
            if (isAbsent(value)) {
                return Optional.empty();
            }
            if (!value.isBoolean()) {
                problems.add(name + ": " + shown(value) + " (expected: true or false)");
                return Optional.empty();
            }
            return Optional.of(value.booleanValue());
        }

        Optional<ObjectNode> object(String name) {
            JsonNode value = body.path(name);
            if (isAbsent(value)) {
                return Optional.empty();
            }
            if (!(value instanceof ObjectNode object)) {
                // The value may be a secret in the wrong place: only its kind is told.
                problems.add(name + ": " + kindOf(value) + " (expected: a JSON object)");
                return Optional.empty();
            }
            if (hasNul(object)) {
                problems.add(name + ": has a NUL character (expected: text without)");
            }
            return Optional.of(object);
        }

        void missing(String name, String expected) {
            if (problems.stream().noneMatch(problem -> problem.startsWith(name + ":"))) {
                problems.add(name + ": missing (expected: " + expected + ")");
            }
        }

        private static boolean isAbsent(JsonNode value) {
            return value.isMissingNode() || value.isNull();
        }

        private static boolean hasNul(JsonNode node) {
            if (node.isTextual()) {
                return node.textValue().indexOf('\0') >= 0;
            }
            for (var field : node.properties()) {
                if (field.getKey().indexOf('\0') >= 0) {
                    return true;
                }
            }
            for (JsonNode child : node) {
                if (hasNul(child)) {
                    return true;
                }
            }
            return false;
        }

        private static String shown(JsonNode value) {
            return value.isContainerNode() ? kindOf(value) : value.toString();
        }
    }

    private static String oneOf(Set<String> allowed) {
        return "one of " + String.join(", ", allowed.stream().sorted().toList());
    }

    private static String kindOf(JsonNode value) {
        return "a JSON " + value.getNodeType().name().toLowerCase(java.util.Locale.ROOT);
    }
}
