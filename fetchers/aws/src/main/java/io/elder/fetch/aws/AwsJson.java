package io.elder.fetch.aws;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.math.BigDecimal;
import java.time.Instant;
import java.util.Base64;
import java.util.List;
import java.util.Map;
import software.amazon.awssdk.core.SdkBytes;
import software.amazon.awssdk.core.SdkField;
import software.amazon.awssdk.core.SdkPojo;
import software.amazon.awssdk.core.document.Document;

/**
 * Objects of the SDK as JSON, with the API's own member names, as the AWS CLI prints them. What the API did not send is
 * left out; instants are ISO 8601, bytes base64.
 */
final class AwsJson {
    private static final JsonNodeFactory JSON = JsonNodeFactory.instance;

    private AwsJson() {}

    static ObjectNode of(SdkPojo object) {
        ObjectNode json = JSON.objectNode();
        for (SdkField<?> field : object.sdkFields()) {
            Object value = field.getValueOrDefault(object);
            if (value != null && !isEmpty(value)) {
                json.set(field.memberName(), value(value));
            }
        }
        return json;
    }

    static List<ObjectNode> of(List<? extends SdkPojo> objects) {
        return objects.stream().map(AwsJson::of).toList();
    }

    /** A list that was not sent and one that was sent empty say the same. */
    private static boolean isEmpty(Object value) {
        return (value instanceof List<?> list && list.isEmpty()) || (value instanceof Map<?, ?> map && map.isEmpty());
    }

    private static JsonNode value(Object value) {
        return switch (value) {
            case SdkPojo object -> of(object);
            case List<?> list -> {
                ArrayNode array = JSON.arrayNode();
                list.forEach(each -> array.add(value(each)));
                yield array;
            }
            case Map<?, ?> map -> {
                ObjectNode object = JSON.objectNode();
                map.forEach((name, each) -> object.set(name.toString(), value(each)));
                yield object;
            }
            case SdkBytes bytes -> JSON.textNode(Base64.getEncoder().encodeToString(bytes.asByteArrayUnsafe()));
            case Document document -> document.isNull() ? JSON.nullNode() : value(document.unwrap());
            case Boolean bool -> JSON.booleanNode(bool);
            case Integer number -> JSON.numberNode(number);
            case Long number -> JSON.numberNode(number);
            case Short number -> JSON.numberNode(number);
            case BigDecimal number -> JSON.numberNode(number);
            case Float number -> JSON.numberNode(number);
            case Double number -> JSON.numberNode(number);
            case Instant instant -> JSON.textNode(instant.toString());
            default -> JSON.textNode(value.toString());
        };
    }
}
