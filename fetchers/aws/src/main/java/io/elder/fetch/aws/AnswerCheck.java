package io.elder.fetch.aws;

import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.SequenceInputStream;
import java.nio.charset.StandardCharsets;
import java.util.Locale;
import java.util.Optional;
import software.amazon.awssdk.core.exception.SdkClientException;
import software.amazon.awssdk.core.interceptor.Context;
import software.amazon.awssdk.core.interceptor.ExecutionAttributes;
import software.amazon.awssdk.core.interceptor.ExecutionInterceptor;

/**
 * Refuses answers that are none. The SDK takes an empty body, or a proxy's page that happens to be well-formed, for a list
 * of nothing; taken for a complete read, that would delete everything.
 */
final class AnswerCheck implements ExecutionInterceptor {
    private static final int ENOUGH = 256;

    @Override
    public Optional<InputStream> modifyHttpResponseContent(
            Context.ModifyHttpResponse context, ExecutionAttributes attributes) {
        Optional<InputStream> body = context.responseBody();
        if (!context.httpResponse().isSuccessful()) {
            return body;
        }
        InputStream whole = body.orElseThrow(AnswerCheck::empty);
        try {
            byte[] start = whole.readNBytes(ENOUGH);
            String text = new String(start, StandardCharsets.UTF_8).strip().toLowerCase(Locale.ROOT);
            if (text.isEmpty()) {
                throw empty();
            }
            if (text.startsWith("<!doctype")
                    || text.startsWith("<html")
                    || !(text.startsWith("<") || text.startsWith("{"))) {
                throw SdkClientException.create("the answer is neither the API's XML nor JSON; it is of type "
                        + context.httpResponse()
                                .firstMatchingHeader("Content-Type")
                                .orElse("unknown"));
            }
            return Optional.of(new SequenceInputStream(new ByteArrayInputStream(start), whole));
        } catch (IOException e) {
            throw SdkClientException.create("the answer broke off: " + e.getMessage(), e);
        }
    }

    private static SdkClientException empty() {
        return SdkClientException.create("the answer is empty");
    }
}
