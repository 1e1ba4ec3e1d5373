//! A service as botocore describes it, and its blob.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use aws_wire::catalog::format::{operation, service};
use aws_wire::name;
use serde_json::{Map, Value};

use super::reads;
use super::rules::Result;
use super::shapes::namespace_record;
use super::token::{Token, encode};
use super::write::Bytes;

/// HTTP methods, by their numbers.
const METHODS: [&str; 6] = ["POST", "GET", "PUT", "DELETE", "PATCH", "HEAD"];
/// Protocols, by their numbers.
const PROTOCOLS: [&str; 6] = ["json", "rest-json", "rest-xml", "query", "ec2", "smithy-rpc-v2-cbor"];

/// A service as botocore describes it.
#[derive(Debug)]
pub struct Model {
    /// What ARNs call it.
    pub key: String,
    /// How many operations it has.
    pub operation_count: usize,
    pub(super) shapes: Map<String, Value>,
    /// Names of elements that are a body as a whole, by their shapes, where they have no other.
    pub(super) payload_names: HashMap<String, String>,
    metadata: Value,
    operations: Map<String, Value>,
    indices: HashMap<String, usize>,
}

fn object(value: &mut Value, name: &str) -> Map<String, Value> {
    match value[name].take() {
        Value::Object(object) => object,
        _ => Map::new(),
    }
}

impl Model {
    /// Takes a `service-2.json` apart.
    pub fn new(mut model: Value) -> Result<Model> {
        let metadata = model["metadata"].take();
        let shapes = object(&mut model, "shapes");
        let operations = object(&mut model, "operations");
        let indices = shapes.keys().enumerate().map(|(index, name)| (name.clone(), index)).collect();
        let service_id = metadata["serviceId"].as_str().unwrap_or_default();
        let mut of = Model {
            key: name::service_prefix(service_id).to_lowercase(),
            operation_count: operations.len(),
            shapes,
            payload_names: HashMap::new(),
            metadata,
            operations,
            indices,
        };
        of.payload_names = of.payloads();
        Ok(of)
    }

    fn payloads(&self) -> HashMap<String, String> {
        let mut names = HashMap::new();
        for shape in self.shapes.values() {
            let member = shape["payload"].as_str().map(|payload| &shape["members"][payload]);
            let Some(of) = member.and_then(|member| member["shape"].as_str()) else { continue };
            if self.shapes[of]["type"] == "structure" && self.shapes[of]["locationName"].is_null() {
                names.insert(of.to_owned(), of.to_owned());
            }
        }
        names
    }

    fn meta(&self, name: &str) -> &str {
        self.metadata[name].as_str().unwrap_or_default()
    }

    /// The index of the shape that a reference names.
    pub(super) fn index(&self, of: &Value) -> Result<usize> {
        let name = of["shape"].as_str().ok_or_else(|| format!("{of} names no shape"))?;
        self.indices.get(name).copied().ok_or_else(|| format!("there is no shape {name}"))
    }

    /// The protocol of JSON where a service offers it beside CBOR.
    fn protocol(&self) -> Result<usize> {
        let declared = self.meta("protocol");
        let offered =
            self.metadata["protocols"].as_array().is_some_and(|offered| offered.contains(&"json".into()));
        let chosen = if declared == "smithy-rpc-v2-cbor" && offered { "json" } else { declared };
        PROTOCOLS
            .iter()
            .position(|protocol| *protocol == chosen)
            .ok_or_else(|| format!("the protocol {chosen} is not known"))
    }

    /// The name of the protocol that is used.
    pub fn protocol_name(&self) -> &'static str {
        self.protocol().map_or("", |protocol| PROTOCOLS[protocol])
    }

    /// The blob of the service; `rules` is where its endpoint rules stand.
    pub fn blob(&self, rules: Option<usize>) -> Result<Vec<u8>> {
        let named: Vec<&str> = self.shapes.keys().map(String::as_str).collect();
        let shapes: Vec<Vec<Token>> =
            named.iter().map(|name| self.shape_record(name)).collect::<Result<_>>()?;
        let mut operations = BTreeMap::new();
        for (name, of) in &self.operations {
            operations.insert(name, self.operation_record(name, of)?);
        }
        let errors: Vec<Vec<Token>> =
            self.error_names().iter().map(|name| self.error_record(name)).collect::<Result<_>>()?;

        let roots = operations.values().chain(&errors).flatten().filter_map(Token::shape);
        let reached = reached(&shapes, roots.collect());
        let classes = classes(&shapes, &reached);
        let kept = kept(&shapes, &reached, &classes, operations.values().chain(&errors));
        let place: HashMap<usize, usize> =
            kept.iter().enumerate().map(|(place, of)| (classes[*of], place)).collect();
        let shape_number = |of: usize| place[&classes[of]];

        let records = kept.iter().map(|of| &shapes[*of]).chain(&errors).chain(operations.values());
        let texts = by_frequency(records.flatten().filter_map(|token| match token {
            Token::Text(Some(text)) => Some(text.as_str()),
            _ => None,
        }));
        let text_numbers: HashMap<&str, usize> =
            texts.iter().enumerate().map(|(at, text)| (*text, at + 1)).collect();
        let text_number = |text: &str| text_numbers[text];
        let encode = |record: &Vec<Token>| encode(record, &text_number, &shape_number);

        let mut bytes = self.head(rules)?;
        bytes.parts(texts.iter().map(|text| text.as_bytes()));
        bytes.v(errors.len());
        for error in &errors {
            bytes.0.extend(encode(error));
        }
        let shapes: Vec<Vec<u8>> = kept.iter().map(|of| encode(&shapes[*of])).collect();
        bytes.parts(shapes.iter().map(Vec::as_slice));
        let operations: Vec<Vec<u8>> = operations.values().map(encode).collect();
        bytes.parts(operations.iter().map(Vec::as_slice));
        Ok(bytes.0)
    }

    fn head(&self, rules: Option<usize>) -> Result<Bytes> {
        let service_id = self.meta("serviceId");
        let prefix = self.meta("endpointPrefix");
        let signing_name = Some(self.meta("signingName")).filter(|name| !name.is_empty()).unwrap_or(prefix);
        let namespace = &self.metadata["xmlNamespace"];
        let namespace = namespace.as_str().or(namespace["uri"].as_str()).unwrap_or_default();
        let mut bytes = Bytes::default();
        bytes.s(&self.key).s(&name::service_prefix(service_id)).s(service_id).s(prefix).s(signing_name);
        bytes.s(self.meta("apiVersion")).s(self.meta("targetPrefix")).s(namespace);
        bytes.u8(self.protocol()? as u8);
        let json_version = match self.meta("jsonVersion") {
            "1.0" => 1,
            "1.1" => 2,
            _ => 0,
        };
        let compatible = self.metadata.get("awsQueryCompatible").is_some();
        bytes.u8(json_version | if compatible { service::QUERY_COMPATIBLE } else { 0 });
        bytes.v(rules.map_or(0, |rules| rules + 1));
        Ok(bytes)
    }

    /// Shapes of errors: those that operations name, and those that say that they are one.
    fn error_names(&self) -> BTreeSet<&str> {
        let named = self.operations.values().filter_map(|of| of["errors"].as_array()).flatten();
        let named =
            named.filter_map(|of| of["shape"].as_str()).filter(|name| self.shapes.contains_key(*name));
        let own = self.shapes.iter().filter(|(_, of)| of["exception"] == true || of.get("error").is_some());
        named.chain(own.map(|(name, _)| name.as_str())).collect()
    }

    fn error_record(&self, name: &str) -> Result<Vec<Token>> {
        let error = &self.shapes[name]["error"];
        let code = error["code"].as_str().filter(|code| *code != name);
        let status = error["httpStatusCode"].as_u64().unwrap_or_default();
        let shape = self.index(&serde_json::json!({ "shape": name }))?;
        Ok(vec![Token::text(name), Token::maybe_text(code), Token::V(status as usize), Token::Shape(shape)])
    }

    fn operation_record(&self, name: &str, of: &Value) -> Result<Vec<Token>> {
        let maybe = |of: Option<&Value>| of.map(|of| self.index(of)).transpose().map(Token::Maybe);
        let (input, output, http) = (of.get("input"), of.get("output"), &of["http"]);
        let method = http["method"].as_str().unwrap_or("POST");
        let method = METHODS.iter().position(|known| *known == method);
        let method = method.ok_or_else(|| format!("the method of {name} is not known"))?;
        let uri = http["requestUri"].as_str().filter(|uri| *uri != "/");

        let mut flags = 0u32;
        let mut flag = |given: bool, flag: u32| flags |= if given { flag } else { 0 };
        let no_auth = of["auth"].as_array().is_some_and(|auth| auth.contains(&"smithy.api#noAuth".into()));
        flag(no_auth || of["authtype"] == "none", operation::UNSIGNED);
        flag(of["authtype"] == "v4-unsigned-body" || of["unsignedPayload"] == true, operation::UNSIGNED_BODY);
        let checksum = &of["httpChecksum"];
        let required = of["httpChecksumRequired"] == true || checksum["requestChecksumRequired"] == true;
        flag(required, operation::CHECKSUM_REQUIRED);
        flag(reads::reads(&self.key, name, of), operation::READS);
        let streams = [input, output].into_iter().flatten().any(|of| self.streams_events(of));
        flag(streams || reads::excluded(&self.key, name), operation::EXCLUDED);
        flag(of["endpointdiscovery"]["required"] == true, operation::ENDPOINT_DISCOVERY);

        let mut announced = Vec::new();
        let mut announce = |text: Option<&str>, with: u32| {
            if let Some(text) = text {
                flags |= with;
                announced.push(Token::text(text));
            }
        };
        announce(of["endpoint"]["hostPrefix"].as_str(), operation::HOST_PREFIX);
        let rest_xml = self.protocol_name() == "rest-xml";
        let input_name = input.filter(|_| rest_xml).and_then(|input| {
            self.of_it_or_its_shape(input, "locationName").as_str().or(input["shape"].as_str())
        });
        announce(input_name, operation::INPUT_NAME);
        let namespace = input.map(|input| self.of_it_or_its_shape(input, "xmlNamespace"));
        if let Some(namespace) = namespace.filter(|namespace| !namespace.is_null()) {
            flags |= operation::INPUT_NAMESPACE;
            announced.extend(namespace_record(namespace));
        }
        let mut announce = |text: Option<&str>, with: u32| {
            if let Some(text) = text {
                flags |= with;
                announced.push(Token::text(text));
            }
        };
        announce(output.and_then(|output| output["resultWrapper"].as_str()), operation::RESULT_WRAPPER);
        announce(checksum["requestAlgorithmMember"].as_str(), operation::CHECKSUM_MEMBER);
        if let Some(context) = of["staticContextParams"].as_object() {
            flags |= operation::STATIC_CONTEXT;
            announced.push(Token::V(context.len()));
            for (name, parameter) in context {
                announced.push(Token::text(name));
                match &parameter["value"] {
                    Value::Bool(value) => announced.push(Token::V(usize::from(*value))),
                    Value::String(value) => announced.extend([Token::V(2), Token::text(value)]),
                    other => return Err(format!("the parameter {name} of endpoints is {other}")),
                }
            }
        }
        let mut record = vec![Token::text(name), Token::U8(method as u8), Token::V(flags as usize)];
        record.extend([Token::maybe_text(uri), maybe(input)?, maybe(output)?]);
        record.append(&mut announced);
        Ok(record)
    }

    fn streams_events(&self, of: &Value) -> bool {
        let shape = |of: &Value| of["shape"].as_str().map(|name| &self.shapes[name]);
        let members = shape(of).and_then(|of| of["members"].as_object());
        members.is_some_and(|members| {
            members.values().any(|member| shape(member).is_some_and(|of| of["eventstream"] == true))
        })
    }
}

/// The shapes that can be met from these.
fn reached(shapes: &[Vec<Token>], mut from: Vec<usize>) -> BTreeSet<usize> {
    let mut reached = BTreeSet::new();
    while let Some(of) = from.pop() {
        if reached.insert(of) {
            from.extend(shapes[of].iter().filter_map(Token::shape));
        }
    }
    reached
}

/// Which shapes nobody can tell apart: those of one class. All begin in one, and classes are divided
/// until what their members refer to tells no more apart.
fn classes(shapes: &[Vec<Token>], reached: &BTreeSet<usize>) -> Vec<usize> {
    let mut classes = vec![0; shapes.len()];
    let mut count = 1;
    loop {
        let mut known: HashMap<Vec<Token>, usize> = HashMap::new();
        let mut divided = classes.clone();
        for &of in reached {
            let of_classes = shapes[of].iter().map(|token| match token {
                Token::Shape(of) => Token::Shape(classes[*of]),
                token => token.clone(),
            });
            let next = known.len();
            divided[of] = *known.entry(of_classes.collect()).or_insert(next);
        }
        classes = divided;
        if known.len() == count {
            return classes;
        }
        count = known.len();
    }
}

/// One shape of each class: those that are referred to most often first, since their numbers are short.
fn kept<'a>(
    shapes: &'a [Vec<Token>],
    reached: &BTreeSet<usize>,
    classes: &[usize],
    others: impl Iterator<Item = &'a Vec<Token>>,
) -> Vec<usize> {
    let mut first: BTreeMap<usize, usize> = BTreeMap::new();
    for &of in reached {
        first.entry(classes[of]).or_insert(of);
    }
    let mut uses: HashMap<usize, usize> = HashMap::new();
    for token in first.values().map(|of| &shapes[*of]).chain(others).flatten() {
        if let Some(of) = token.shape() {
            *uses.entry(classes[of]).or_default() += 1;
        }
    }
    let mut kept: Vec<usize> = first.into_values().collect();
    kept.sort_by_key(|of| (std::cmp::Reverse(uses.get(&classes[*of]).copied()), *of));
    kept
}

/// Texts, the most frequent first.
fn by_frequency<'a>(texts: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let mut uses: BTreeMap<&str, usize> = BTreeMap::new();
    for text in texts {
        *uses.entry(text).or_default() += 1;
    }
    let mut texts: Vec<(&str, usize)> = uses.into_iter().collect();
    texts.sort_by_key(|(text, uses)| (std::cmp::Reverse(*uses), *text));
    texts.into_iter().map(|(text, _)| text).collect()
}
