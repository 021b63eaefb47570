// The words of the API, as its OpenAPI document has them.

import type { components, operations } from './schema'

type S = components['schemas']
export type Incident = S['Incident']
export type Diagnosis = S['Diagnosis']
export type Evidence = S['Evidence']
export type Similar = S['Similar']
export type Job = S['Job']
export type StreamInfo = S['StreamInfo']
export type Document = S['Document']
export type Problem = S['Problem']
export type IncidentList = S['IncidentList']
export type JobList = S['JobList']
export type StreamList = S['StreamList']
export type DocumentList = S['DocumentList']
export type ContextList = S['ContextList']
export type Histogram = S['Histogram']
export type TemplateRates = S['TemplateRates']
export type TemplateInfo = S['TemplateInfo']
export type TemplateList = S['TemplateList']
export type Label = S['Label']
export type LabelInput = S['LabelInput']
export type LabelList = S['LabelList']
export type LabelHistory = S['LabelHistory']
export type LabelPreview = S['LabelPreview']
export type Queue = S['Queue']
export type QueueItem = S['QueueItem']
export type TemplateDetail = S['TemplateDetail']
export type CauseList = S['CauseList']
export type Coverage = S['Coverage']
export type Feedback = S['Feedback']
export type FeedbackList = S['FeedbackList']
export type MergePreview = S['MergePreview']
export type MergeList = S['MergeList']
export type SessionInfo = S['SessionInfo']
export type FieldList = S['FieldList']
export type FieldValueList = S['FieldValueList']

type Query<O extends keyof operations> = NonNullable<operations[O]['parameters']['query']>
export type IncidentsQuery = Query<'listIncidents'>
export type JobsQuery = Query<'listJobs'>
export type StreamsQuery = Query<'listStreams'>
export type SearchQuery = Query<'search'>
export type RawQuery = Query<'rawLogs'>
export type TailQuery = Query<'tail'>
export type HistogramQuery = Query<'histogram'>
export type TemplatesQuery = Query<'listTemplates'>
export type RatesQuery = Query<'templateRates'>
export type ValuesQuery = Query<'listFieldValues'>
export type LabelsQuery = Query<'listLabels'>
export type QueueQuery = Query<'queue'>
